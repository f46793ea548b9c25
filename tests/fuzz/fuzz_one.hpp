// One input of a fuzzer, whoever made it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace fuzz {

// What became of the inputs so far.
struct Counts {
  std::uint64_t inputs = 0, decoded = 0, lenient_incomplete = 0, executed = 0, executed_of_refused = 0;
  std::array<std::uint64_t, 5> refused{};  // by freqlearn::ErrorKind
};

// Decodes and executes `data` (a script and a JPEG file, see script.hpp) in every way and aborts on a broken promise.
void fuzz_one(const std::uint8_t* data, std::size_t size, Counts& counts);

}  // namespace fuzz
