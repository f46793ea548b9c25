// Writes the tensors that execute() makes of a JPEG file, one an instruction set that this build and processor have, to
// compare them with what Python computes (tests/freqlearn/test_native_dispatch.py):
//
//   one_tensor FILE OUTPUT TOP LEFT HEIGHT WIDTH SIZE
//
// cuts a box out, resizes it to SIZE x SIZE px, mirrors it and writes 192 channels as (192, SIZE/8, SIZE/8) float32.
// Prints the names of the instruction sets, in the order of the file.
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include "decoder.hpp"
#include "execute.hpp"

namespace {

constexpr std::uint64_t kMaxPixels = 178'956'970;

void write_tensors(const std::vector<std::string>& arguments) {
  std::ifstream file(arguments.at(0), std::ios::binary);
  const std::vector<std::uint8_t> jpeg{std::istreambuf_iterator<char>(file), {}};
  const auto number = [&](std::size_t i) { return std::int64_t{std::stoll(arguments.at(i))}; };
  const std::int64_t size = number(6);
  const freqlearn::Box shown{0, 0, size, size};
  freqlearn::Plan plan;
  const freqlearn::Frame frame = freqlearn::read_info(jpeg, kMaxPixels).frame;
  plan.height = static_cast<std::int64_t>(frame.height);
  plan.width = static_cast<std::int64_t>(frame.width);
  plan.geometry = {.box = {number(2), number(3), number(4), number(5)},
                   .scaled_height = size,
                   .scaled_width = size,
                   .window = shown,
                   .visible = shown};
  plan.flip_horizontal = true;
  freqlearn::Target target{.channels = std::vector<int>(192),
                           .mean = std::vector<double>(192, 0.0),
                           .std = std::vector<double>(192, 1.0)};
  std::iota(target.channels.begin(), target.channels.end(), 0);

  std::ofstream output(arguments.at(1), std::ios::binary);
  const std::ptrdiff_t blocks = size / 8;
  std::vector<float> tensor(192 * static_cast<std::size_t>(blocks * blocks));
  for (const freqlearn::InstructionSet set : freqlearn::instruction_sets()) {
    freqlearn::execute(jpeg, plan, target,
                       {.data = tensor.data(),
                        .channels = 192,
                        .rows = blocks,
                        .cols = blocks,
                        .channel_stride = blocks * blocks,
                        .row_stride = blocks,
                        .col_stride = 1},
                       kMaxPixels, set);
    output.write(reinterpret_cast<const char*>(tensor.data()),
                 static_cast<std::streamsize>(tensor.size() * sizeof(float)));
    std::printf("%s\n", name(set));
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    write_tensors({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
