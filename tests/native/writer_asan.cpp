// The writer under ASan and UBSan: random pictures, good and bad. Nothing but std::invalid_argument comes out, for what
// no file can hold and for nothing else, and every file that is written is read back equal, without a warning.
//
//   writer_asan [--inputs N] [--seconds S] [--seed S] [--only I]
//
// Input I of a seed is always the same: --only I repeats it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "decoder.hpp"
#include "metadata_segments.hpp"
#include "picture.hpp"
#include "random_inputs.hpp"
#include "writer.hpp"

namespace {

using freqlearn::Coefficient;
using random_inputs::broken;
using random_inputs::Random;

constexpr std::uint64_t kMaxPixels = 1 << 26;
constexpr std::size_t kMost = 65535;  // of sizes, quantisation steps and restart intervals
constexpr int kLargestAc = 1023, kLargestDc = 1023;  // DC: so that no difference is beyond 2047

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
    if (!random.chance(density)) continue;
    const std::size_t limit = random.chance(30) ? largest : std::min<std::size_t>(largest, 3);
    const int magnitude = static_cast<int>(random.below(limit + 1));
    values[i] = static_cast<Coefficient>(random.chance(50) ? magnitude : -magnitude);
  }
  if (count == 0 || largest != 32767 || !random.chance(20)) return;
  values[random.below(count)] = std::numeric_limits<Coefficient>::min();
}

std::size_t planes_of(const std::string& color_space) {
  if (color_space == "gray") return 1;
  if (color_space == "unknown") return 2;
  if (color_space == "YCbCr" || color_space == "RGB") return 3;
  return color_space == "CMYK" || color_space == "YCCK" ? 4 : 0;
}

// Small ones, and now and then one at or beyond the format's limits, but then only a strip.
void make_size(Random& random, Input& input) {
  input.width = 1 + random.below(90);
  input.height = 1 + random.below(90);
  if (!random.chance(3)) return;
  std::size_t& side = random.chance(50) ? input.width : input.height;
  (&side == &input.width ? input.height : input.width) = 1 + random.below(8);
  side = random.pick<std::size_t>({0, kMost - 1, kMost, kMost + 1, std::numeric_limits<std::size_t>::max()});
}

// Sampling factors and true block counts, from which the faults below depart.
freqlearn::Frame make_frame(Random& random, const Input& input, std::size_t planes) {
  freqlearn::Frame frame;
  frame.width = std::min<std::size_t>(input.width, kMost + 1);
  frame.height = std::min<std::size_t>(input.height, kMost + 1);
  const std::size_t factor = random.pick<std::size_t>({1, 2, 2, 4});
  for (std::size_t i = 0; i < planes; ++i) {
    freqlearn::Component component;
    component.h = 1 + static_cast<int>(random.below(factor));
    component.v = 1 + static_cast<int>(random.below(factor));
    frame.components.push_back(component);
  }
  freqlearn::set_block_counts(frame);
  return frame;
}

void make_planes(Random& random, Input& input, std::size_t count) {
  const std::size_t largest = random.pick<std::size_t>({1, 1, 20, kLargestAc, kLargestAc + 1, 32767});
  const bool one_table = random.chance(30);
  for (const freqlearn::Component& component : make_frame(random, input, count).components) {
    freqlearn::SourcePlane plane;
    plane.rows = component.rows + (random.chance(1) ? 1 : 0);
    plane.cols = component.cols + (random.chance(1) ? 1 : 0);
    plane.h = random.chance(1) ? static_cast<int>(random.below(7)) - 1 : component.h;
    plane.v = random.chance(1) ? static_cast<int>(random.below(7)) - 1 : component.v;
    const std::size_t step = random.pick<std::size_t>({1, 7, 255, 256, 65535});
    for (std::uint16_t& value : plane.quant_table) value = static_cast<std::uint16_t>(1 + random.below(step));
    if (one_table && !input.planes.empty()) plane.quant_table = input.planes.front().quant_table;
    if (random.chance(1)) plane.quant_table[random.below(64)] = 0;
    const std::size_t values = 64 * plane.rows * plane.cols;
    input.memory.push_back(std::make_unique<Coefficient[]>(values));
    fill(random, input.memory.back().get(), values, largest);
    plane.blocks = input.memory.back().get();
    input.planes.push_back(plane);
  }
}

void add_segment(Input& input, std::uint8_t code, const std::vector<std::uint8_t>& payload) {
  const std::size_t length = payload.size() + 2;
  input.segments.insert(input.segments.end(),
                        {0xFF, code, static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)});
  input.segments.insert(input.segments.end(), payload.begin(), payload.end());
}

// The colours' mark where readers need one, and metadata of any length and content that are no such mark.
void make_segments(Random& random, Input& input) {
  if (input.color_space == "RGB" || input.color_space == "CMYK" || input.color_space == "YCCK") {
    const std::uint8_t transform = input.color_space == "YCCK" ? 2 : 0;
    add_segment(input, 0xEE, {'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, transform});
  }
  while (random.chance(30)) {
    std::vector<std::uint8_t> payload(random.pick<std::size_t>({0, 1, 20, 65533}));
    for (std::uint8_t& byte : payload) byte = static_cast<std::uint8_t>(random.below(256));
    if (!payload.empty()) payload.front() = 0;
    add_segment(input, random.pick<std::uint8_t>({0xE2, 0xE5, 0xEF, 0xFE}), payload);
  }
  input.options.segments = input.segments;
}

Input make_input(Random& random) {
  Input input;
  input.color_space =
      random.pick<const char*>({"gray", "unknown", "YCbCr", "YCbCr", "YCbCr", "RGB", "CMYK", "YCCK"});
  const std::size_t count = random.chance(2) ? random.below(6) : planes_of(input.color_space);
  if (random.chance(1)) input.color_space = random.pick<const char*>({"", "Lab"});
  make_size(random, input);
  make_planes(random, input, count);
  make_segments(random, input);
  input.options.optimise = random.chance(80);
  input.options.progressive = random.chance(input.options.optimise ? 50 : 3);
  input.options.restart_interval = random.pick<std::size_t>({0, 0, 0, 1, 2, 7, 1000, kMost});
  if (random.chance(1)) input.options.restart_interval = kMost + 1;
  return input;
}

enum class Expected { written, refused, either };

// What the format says of one plane; whether a large DC coefficient can be coded depends on those before it.
Expected expected_of(const freqlearn::SourcePlane& plane, const freqlearn::Component& component) {
  const bool factors = std::min(plane.h, plane.v) >= 1 && std::max(plane.h, plane.v) <= 4;
  if (!factors || plane.rows != component.rows || plane.cols != component.cols) return Expected::refused;
  if (std::ranges::count(plane.quant_table, 0) > 0) return Expected::refused;
  Expected expected = Expected::written;
  for (std::size_t i = 0; i < 64 * plane.rows * plane.cols; ++i) {
    const bool is_dc = i % 64 == 0;
    if (std::abs(plane.blocks[i]) <= (is_dc ? kLargestDc : kLargestAc)) continue;
    if (!is_dc) return Expected::refused;
    expected = Expected::either;
  }
  return expected;
}

Expected expected_of(const Input& input) {
  const bool counts = !input.planes.empty() && input.planes.size() == planes_of(input.color_space);
  const bool sizes = std::min(input.width, input.height) >= 1 && std::max(input.width, input.height) <= kMost;
  const freqlearn::WriteOptions& options = input.options;
  if (!counts || !sizes || options.restart_interval > kMost) return Expected::refused;
  if (options.progressive && !options.optimise) return Expected::refused;
  freqlearn::Frame frame;
  frame.width = input.width;
  frame.height = input.height;
  for (const freqlearn::SourcePlane& plane : input.planes) {
    freqlearn::Component component;
    component.h = std::clamp(plane.h, 1, 4);
    component.v = std::clamp(plane.v, 1, 4);
    frame.components.push_back(component);
  }
  freqlearn::set_block_counts(frame);
  Expected expected = Expected::written;
  for (std::size_t i = 0; i < input.planes.size(); ++i) {
    const Expected of_plane = expected_of(input.planes[i], frame.components[i]);
    if (of_plane == Expected::refused) return of_plane;
    if (of_plane == Expected::either) expected = of_plane;
  }
  return expected;
}

void check_header(const Input& input, const freqlearn::Info& info) {
  if (!info.warnings.empty()) broken("its reader warns: " + info.warnings.front());
  if (info.color_space != input.color_space) broken("other colours: " + info.color_space);
  if (info.frame.width != input.width || info.frame.height != input.height) broken("another size");
  if (info.restart_interval != input.options.restart_interval) broken("another restart interval");
  const bool wide = std::ranges::any_of(input.planes, [](const auto& plane) {
    return std::ranges::max(plane.quant_table) > 255;
  });
  const auto process = input.options.progressive ? freqlearn::Process::progressive
                       : wide                    ? freqlearn::Process::extended
                                                 : freqlearn::Process::baseline;
  if (info.frame.process != process) broken("another process");
}

void check_decoded(const Input& input, const freqlearn::Decoded& decoded) {
  check_header(input, decoded.info);
  if (!decoded.complete) broken("an incomplete file");
  if (decoded.planes.size() != input.planes.size()) broken("another number of planes");
  for (std::size_t i = 0; i < input.planes.size(); ++i) {
    const freqlearn::SourcePlane& plane = input.planes[i];
    const freqlearn::Component& component = decoded.info.frame.components[i];
    if (component.h != plane.h || component.v != plane.v) broken("other sampling factors");
    if (decoded.info.quant_tables[i] != plane.quant_table) broken("another quantisation table");
    if (decoded.planes[i].rows() != plane.rows || decoded.planes[i].cols() != plane.cols) broken("other blocks");
    if (!std::equal(plane.blocks, plane.blocks + 64 * plane.rows * plane.cols, decoded.planes[i].block(0))) {
      broken("other coefficients");
    }
  }
}

void check_file(const Input& input, const std::vector<std::uint8_t>& file) {
  for (const bool reference : {false, true}) {
    check_decoded(input, freqlearn::decode(file, true, kMaxPixels, {.reference = reference}));
  }
  Input found;
  for (const freqlearn::Segment& segment : freqlearn::metadata_segments(file)) {
    add_segment(found, segment.code, {segment.payload.begin(), segment.payload.end()});
  }
  if (found.segments != input.segments) broken("other marker segments");
}

// Whether a file was written.
bool run(const Input& input) {
  const Expected expected = expected_of(input);
  std::vector<std::uint8_t> file;
  try {
    file = write_file(
        freqlearn::checked_picture(input.planes, input.width, input.height, input.color_space, input.options),
        input.options);
  } catch (const std::invalid_argument& error) {
    if (std::string(error.what()).empty()) broken("an error without a message");
    if (expected == Expected::written) broken(std::string("refuses a good picture: ") + error.what());
    return false;
  }
  if (expected == Expected::refused) broken("writes what no file can hold");
  check_file(input, file);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  random_inputs::run_inputs(argc, argv, "writer", "files written and read back equal", "refused",
                            [](random_inputs::Random& random) { return run(make_input(random)); });
  return 0;
}
