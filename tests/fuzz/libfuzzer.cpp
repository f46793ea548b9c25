// The entry point that libFuzzer calls.
#include "fuzz_one.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::Counts counts;
  fuzz::fuzz_one(data, size, counts);
  return 0;
}
