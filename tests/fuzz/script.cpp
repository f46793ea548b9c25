#include "script.hpp"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

namespace fuzz {
namespace {

using freqlearn::Box;
using freqlearn::ColorStep;
using freqlearn::DataType;
using freqlearn::Geometry;
using freqlearn::Plan;

using Limits = std::numeric_limits<std::int64_t>;

Box intersection(const Box& a, const Box& b) {
  const std::int64_t top = std::max(a.top, b.top), left = std::max(a.left, b.left);
  return {top, left, std::max<std::int64_t>(0, std::min(a.bottom(), b.bottom()) - top),
          std::max<std::int64_t>(0, std::min(a.right(), b.right()) - left)};
}

// (first, length) of a part of [0, size); whole, a few samples, whole blocks or anything.
std::pair<std::int64_t, std::int64_t> part_of(std::int64_t size, Script& script) {
  switch (script.below(4)) {
    case 0: return {0, size};
    case 1: {
      const std::int64_t first = script.between(0, size - 1);
      return {first, script.between(1, std::min<std::int64_t>(9, size - first))};
    }
    case 2: {
      const std::int64_t first = 8 * script.between(0, (size - 1) / 8);
      return {first, std::min(size - first, 8 * script.between(1, (size - first + 7) / 8))};
    }
    default: {
      const std::int64_t first = script.between(0, size - 1);
      return {first, script.between(1, size - first)};
    }
  }
}

std::int64_t scaled(std::int64_t size, Script& script) {
  if (script.chance(30)) return size;
  return script.between(1, script.chance(50) ? kLargestOutput : 32);
}

// (first, length) of a window on [0, size): all of it, a part, or reaching beyond.
std::pair<std::int64_t, std::int64_t> window_on(std::int64_t size, Script& script) {
  const std::int64_t whole_blocks = (size + 7) / 8 * 8;
  const std::int64_t first = script.chance(60) ? 0 : script.between(-20, std::min<std::int64_t>(size + 4, 4000));
  const std::int64_t length = script.chance(50) ? whole_blocks : 8 * script.between(1, 12);
  return {first, std::min(length, kLargestOutput)};
}

Geometry make_geometry(std::int64_t height, std::int64_t width, Script& script) {
  Geometry geometry;
  std::tie(geometry.box.top, geometry.box.height) = part_of(height, script);
  std::tie(geometry.box.left, geometry.box.width) = part_of(width, script);
  geometry.scaled_height = scaled(geometry.box.height, script);
  geometry.scaled_width = scaled(geometry.box.width, script);
  std::tie(geometry.window.top, geometry.window.height) = window_on(geometry.scaled_height, script);
  std::tie(geometry.window.left, geometry.window.width) = window_on(geometry.scaled_width, script);
  geometry.visible = intersection(geometry.window, {0, 0, geometry.scaled_height, geometry.scaled_width});
  return geometry;
}

Geometry whole_picture(std::int64_t height, std::int64_t width) {
  const Box all{0, 0, height, width};
  const Box blocks{0, 0, (height + 7) / 8 * 8, (width + 7) / 8 * 8};
  return {.box = all, .scaled_height = height, .scaled_width = width, .window = blocks, .visible = all};
}

ColorStep make_color(const Geometry& own, std::int64_t height, std::int64_t width, Script& script) {
  using Kind = ColorStep::Kind;
  static constexpr std::array kKinds{Kind::brightness, Kind::contrast, Kind::saturation, Kind::hue, Kind::fill};
  static constexpr std::array kFactors{0.0, 1.0, 0.5, 0.9, 1.1, 2.0, 0.25, 1e-3};
  ColorStep step{.kind = script.one_of(kKinds), .factor = script.one_of(kFactors), .rgb = {}, .geometry = own};
  if (step.kind == Kind::hue) step.factor -= 0.5;
  for (double& value : step.rgb) value = static_cast<double>(script.below(256));
  // Contrast before a crop or a resize measures another stage than the last.
  if (script.chance(40)) step.geometry = whole_picture(height, width);
  return step;
}

// Numbers that break arithmetic.
std::int64_t wild_number(Script& script) {
  static constexpr std::array<std::int64_t, 20> kWild{
      Limits::min(), Limits::min() + 1, -(std::int64_t{1} << 62), -(std::int64_t{1} << 32), -65536, -9, -8, -1, 0, 1,
      7, 8, 65535, std::int64_t{1} << 31, std::int64_t{1} << 32, std::int64_t{1} << 53, std::int64_t{1} << 62,
      Limits::max() / 8, Limits::max() - 7, Limits::max()};
  return script.chance(70) ? script.one_of(kWild) : script.between(-70'000, 70'000);
}

void make_wild(Geometry& geometry, Script& script, bool output) {
  Box& box = geometry.box;
  Box& window = geometry.window;
  Box& visible = geometry.visible;
  const std::array fields{&box.top,     &box.left,     &box.height,     &box.width,     &geometry.scaled_height,
                          &visible.top, &visible.left, &visible.height, &visible.width, &geometry.scaled_width,
                          &window.top,  &window.left,  &window.height,  &window.width};
  for (std::uint64_t n = 1 + script.below(4); n > 0; --n) *fields[script.below(fields.size())] = wild_number(script);
  // The caller's memory has the window's size: there is none for a huge one.
  if (output) {
    window.height = std::min(window.height, kLargestOutput);
    window.width = std::min(window.width, kLargestOutput);
  }
}

double wild_value(Script& script) {
  static constexpr double kInf = std::numeric_limits<double>::infinity();
  return script.one_of(std::array{kInf, -kInf, std::numeric_limits<double>::quiet_NaN(), 1e300, -1e300, -1.0, 0.0,
                                  1e-300});
}

void make_wild(freqlearn::Target& target, Script& script) {
  const std::size_t i = script.below(target.channels.size());
  switch (script.below(6)) {
    case 0: target.channels[i] = static_cast<int>(wild_number(script)); break;
    case 1: target.mean[i] = wild_value(script); break;
    case 2: target.std[i] = wild_value(script); break;
    case 3: target.tolerance = wild_value(script); break;
    case 4: target.mean.pop_back(); break;
    default: target = {}; break;
  }
}

void make_wild(Execution& made, Script& script) {
  Plan& plan = made.plan;
  switch (script.below(8)) {
    case 0: made.bad_output = static_cast<Execution::BadOutput>(script.below(6)); break;
    case 1:
    case 2: make_wild(made.target, script); break;
    case 3: (script.chance(50) ? plan.height : plan.width) = wild_number(script); break;
    case 4:
    case 5:
      if (!plan.colors.empty()) {
        ColorStep& step = plan.colors[script.below(plan.colors.size())];
        if (script.chance(70)) {
          make_wild(step.geometry, script, false);
        } else {
          step.factor = step.rgb[script.below(3)] = wild_value(script);
        }
        break;
      }
      [[fallthrough]];
    default: make_wild(plan.geometry, script, true); break;
  }
}

std::vector<int> make_channels(Script& script) {
  std::vector<int> channels;
  switch (script.below(5)) {
    case 0:  // all
      for (int i = 0; i < 192; ++i) channels.push_back(i);
      break;
    case 1:  // a square of each component
      for (int component = 0; component < 3; ++component) {
        const int side = static_cast<int>(script.between(component == 0 ? 1 : 0, component == 0 ? 8 : 4));
        for (int i = 0; i < side * side; ++i) channels.push_back(64 * component + 8 * (i / side) + i % side);
      }
      break;
    case 2: channels = {0, 64, 128}; break;
    default:  // any, in any order, some twice
      for (std::uint64_t n = 1 + script.below(12); n > 0; --n) channels.push_back(static_cast<int>(script.below(192)));
  }
  return channels;
}

bool changes_nothing(const Plan& plan, std::int64_t height, std::int64_t width) {
  const Geometry whole = whole_picture(height, width);
  const auto same = [](const Box& a, const Box& b) {
    return a.top == b.top && a.left == b.left && a.height == b.height && a.width == b.width;
  };
  const Geometry& own = plan.geometry;
  return plan.colors.empty() && same(own.box, whole.box) && same(own.window, whole.window) &&
         same(own.visible, whole.visible) && own.scaled_height == height && own.scaled_width == width;
}

}  // namespace

std::uint64_t Script::number(std::size_t bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < std::min(bytes, bytes_.size()); ++i) number = number << 8 | bytes_[i];
  bytes_ = bytes_.subspan(std::min(bytes, bytes_.size()));
  return number;
}

freqlearn::InstructionSet make_instruction_set(Script& script) {
  const auto& sets = freqlearn::instruction_sets();
  return sets[script.below(sets.size())];
}

std::array<std::size_t, 3> output_shape(const Execution& execution) {
  const Box& window = execution.plan.geometry.window;
  const auto blocks = [](std::int64_t px) { return static_cast<std::size_t>(std::max<std::int64_t>(0, px) + 7) / 8; };
  std::size_t rows = blocks(window.height), cols = blocks(window.width);
  if (execution.plan.transposed) std::swap(rows, cols);
  return {execution.target.channels.size(), rows, cols};
}

Execution make_execution(Script& script, const freqlearn::Frame& frame) {
  const auto height = static_cast<std::int64_t>(frame.height), width = static_cast<std::int64_t>(frame.width);
  Execution made;
  made.wild = script.chance(12);
  const bool whole = script.chance(15) && height <= kLargestOutput && width <= kLargestOutput;
  made.plan.height = height;
  made.plan.width = width;
  made.plan.geometry = whole ? whole_picture(height, width) : make_geometry(height, width, script);
  made.plan.transposed = script.chance(25);
  made.plan.flip_horizontal = script.chance(50);
  made.plan.flip_vertical = script.chance(25);
  for (std::uint64_t n = script.chance(50) ? script.below(4) : 0; n > 0; --n) {
    made.plan.colors.push_back(make_color(made.plan.geometry, height, width, script));
  }

  made.target.channels = make_channels(script);
  if (script.chance(20)) made.target.tolerance = script.one_of(std::array{1e-6, 0.003, 0.02, 0.1, 1.0, 100.0});

  static constexpr std::array kTypes{DataType::float32, DataType::float16, DataType::bfloat16};
  static constexpr std::array<std::array<int, 3>, 6> kOrders{
      {{0, 1, 2}, {1, 2, 0}, {0, 2, 1}, {1, 0, 2}, {2, 0, 1}, {2, 1, 0}}};
  made.type = script.one_of(kTypes);
  made.axis_order = kOrders[script.chance(70) ? script.below(2) : script.below(6)];
  if (script.chance(20)) {
    for (int& gap : made.gaps) gap = static_cast<int>(script.below(3));
    for (bool& backwards : made.backwards) backwards = script.chance(30);
  }
  for (std::size_t i = 0; i < made.target.channels.size(); ++i) {
    made.target.mean.push_back(static_cast<double>(script.between(-100, 100)));
    made.target.std.push_back(script.one_of(std::array{1.0, 0.5, 10.0, 300.0}));
  }
  if (made.wild) make_wild(made, script);

  std::array<bool, 3> components{};
  for (const int channel : made.target.channels) {
    if (channel >= 0 && channel < 192) components[static_cast<std::size_t>(channel) / 64] = true;
  }
  made.covers_all = !made.wild && changes_nothing(made.plan, height, width) && made.target.tolerance == 0.0 &&
                    std::ranges::all_of(components, [](bool wanted) { return wanted; });
  return made;
}

std::vector<freqlearn::BlockRange> make_ranges(Script& script, const freqlearn::Frame& frame) {
  static constexpr std::array<std::uint64_t, 4> kLow{1, 0x0303, 0x0F0F'0F0F, 0x0101'0101'0101'0101};
  std::vector<freqlearn::BlockRange> ranges;
  for (const freqlearn::Component& component : frame.components) {
    freqlearn::BlockRange& range = ranges.emplace_back();
    if (script.chance(15)) continue;
    const auto [row, rows] = part_of(static_cast<std::int64_t>(component.rows), script);
    const auto [col, cols] = part_of(static_cast<std::int64_t>(component.cols), script);
    range.row_begin = static_cast<std::size_t>(row);
    range.row_end = static_cast<std::size_t>(row + rows);
    range.col_begin = static_cast<std::size_t>(col);
    range.col_end = static_cast<std::size_t>(col + cols);
    if (script.chance(50)) range.coefficients = script.chance(60) ? script.one_of(kLow) : script.number(8);
  }
  return ranges;
}

}  // namespace fuzz
