// The writer under ASan and UBSan: random pictures, good and bad. Nothing but std::invalid_argument comes out, and every
// file that is written is read back equal, without a warning.
//
//   writer_asan [INPUTS] [SEED]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "decoder.hpp"
#include "picture.hpp"
#include "writer.hpp"

namespace {

using freqlearn::Coefficient;

constexpr std::uint64_t kMaxPixels = 1 << 26;

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  // 0 to `limit` - 1.
  std::size_t below(std::size_t limit) { return engine_() % limit; }
  bool chance(std::size_t percent) { return below(100) < percent; }
  template <class T>
  T pick(std::initializer_list<T> choices) {
    return *(choices.begin() + below(choices.size()));
  }

 private:
  std::mt19937_64 engine_;
};

// Owns what a picture's planes point to; each array ends where ASan watches.
struct Input {
  std::vector<std::unique_ptr<Coefficient[]>> memory;
  std::vector<freqlearn::SourcePlane> planes;
  std::size_t width = 0, height = 0;
  std::string color_space;
  std::vector<std::uint8_t> segments;
  freqlearn::WriteOptions options;
};

// Mostly small numbers, as pictures have; `largest` is beyond the format's range at times.
void fill(Random& random, Coefficient* values, std::size_t count, std::size_t largest) {
  const std::size_t density = random.pick<std::size_t>({0, 1, 10, 50, 100});
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t magnitude = random.below(random.chance(30) ? largest + 1 : std::min<std::size_t>(largest, 3) + 1);
    const int value = random.chance(50) ? static_cast<int>(magnitude) : -static_cast<int>(magnitude);
    values[i] = random.chance(density) ? static_cast<Coefficient>(value) : Coefficient{0};
  }
}

std::size_t make_count(Random& random, const std::string& color_space) {
  if (random.chance(2)) return random.below(6);  // any
  if (color_space == "gray") return 1;
  if (color_space == "unknown") return 2;
  return color_space == "YCbCr" || color_space == "RGB" ? 3 : 4;
}

void make_input(Random& random, Input& input) {
  input.color_space = random.pick<const char*>({"gray", "unknown", "YCbCr", "YCbCr", "YCbCr", "RGB", "CMYK", "YCCK", ""});
  input.width = random.chance(2) ? random.pick<std::size_t>({0, 65535, 65536, std::size_t(-1)}) : 1 + random.below(90);
  input.height = random.chance(1) ? random.pick<std::size_t>({0, 65536}) : 1 + random.below(90);
  const std::size_t count = make_count(random, input.color_space);
  const std::size_t factor = random.pick<std::size_t>({1, 2, 2, 4}), largest = random.pick<std::size_t>({1, 1, 20, 1023, 1024, 32767});
  freqlearn::Frame frame;  // only to know the sizes
  frame.width = std::min<std::size_t>(input.width, 70000);
  frame.height = std::min<std::size_t>(input.height, 70000);
  for (std::size_t i = 0; i < count; ++i) {
    freqlearn::Component component;
    component.h = 1 + static_cast<int>(random.below(factor));
    component.v = 1 + static_cast<int>(random.below(factor));
    frame.components.push_back(component);
  }
  freqlearn::set_block_counts(frame);
  for (const freqlearn::Component& component : frame.components) {
    freqlearn::SourcePlane plane;
    plane.rows = component.rows + (random.chance(1) ? 1 : 0);
    plane.cols = component.cols + (random.chance(1) ? 1 : 0);
    plane.h = random.chance(1) ? static_cast<int>(random.below(7)) - 1 : component.h;
    plane.v = component.v;
    const std::size_t step = random.pick<std::size_t>({1, 7, 255, 256, 65535});
    for (std::uint16_t& value : plane.quant_table) value = static_cast<std::uint16_t>(1 + random.below(step));
    if (random.chance(1)) plane.quant_table[random.below(64)] = 0;
    const std::size_t values = 64 * plane.rows * plane.cols;
    input.memory.push_back(std::make_unique<Coefficient[]>(values));
    fill(random, input.memory.back().get(), values, largest);
    plane.blocks = input.memory.back().get();
    input.planes.push_back(plane);
  }
  if (input.color_space == "RGB" || input.color_space == "CMYK" || input.color_space == "YCCK") {
    const std::uint8_t transform = input.color_space == "YCCK" ? 2 : 0;
    input.segments = {0xFF, 0xEE, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, transform};
  }
  input.options.optimise = random.chance(80);
  input.options.progressive = random.chance(50);
  input.options.restart_interval = random.pick<std::size_t>({0, 0, 1, 2, 7, 65535, 65536});
  input.options.segments = input.segments;
}

[[noreturn]] void broken(std::size_t index, const std::string& what) {
  std::fprintf(stderr, "input %zu: %s\n", index, what.c_str());
  std::abort();
}

void check_file(std::size_t index, const Input& input, const std::vector<std::uint8_t>& file) {
  const freqlearn::Decoded decoded = freqlearn::decode(file, true, kMaxPixels, {});
  if (!decoded.complete || !decoded.info.warnings.empty()) {
    broken(index, "the reader warns: " + (decoded.info.warnings.empty() ? "" : decoded.info.warnings.front()));
  }
  if (decoded.info.color_space != input.color_space) broken(index, "other colours: " + decoded.info.color_space);
  if (decoded.info.frame.width != input.width || decoded.info.frame.height != input.height) broken(index, "another size");
  if (decoded.planes.size() != input.planes.size()) broken(index, "another number of planes");
  for (std::size_t i = 0; i < input.planes.size(); ++i) {
    const freqlearn::SourcePlane& plane = input.planes[i];
    const freqlearn::Component& component = decoded.info.frame.components[i];
    if (component.h != plane.h || component.v != plane.v) broken(index, "other sampling factors");
    if (decoded.info.quant_tables[i] != plane.quant_table) broken(index, "another quantisation table");
    if (!std::equal(plane.blocks, plane.blocks + 64 * plane.rows * plane.cols, decoded.planes[i].block(0))) {
      broken(index, "other coefficients");
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t inputs = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 5000;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  std::size_t written = 0;
  for (std::size_t i = 0; i < inputs; ++i) {
    Random random(seed << 40 ^ i);
    Input input;
    make_input(random, input);
    std::vector<std::uint8_t> file;
    try {
      file = write_file(freqlearn::checked_picture(input.planes, input.width, input.height, input.color_space, input.options),
                        input.options);
    } catch (const std::invalid_argument& error) {
      if (std::string(error.what()).empty()) broken(i, "an error without a message");
      continue;
    }
    check_file(i, input, file);
    ++written;
  }
  std::printf("%zu inputs, seed %llu: %zu files written and read back equal, %zu refused\n", inputs,
              static_cast<unsigned long long>(seed), written, inputs - written);
  return written > 0 && written < inputs ? 0 : 1;
}
