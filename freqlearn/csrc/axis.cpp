#include "axis.hpp"

#include <algorithm>
#include <cmath>

namespace freqlearn {
namespace {

// std::floor and std::ceil are calls where the processor's rounding instructions may not be used.
std::int64_t floor_of(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return whole - (value < static_cast<double>(whole));
}

std::int64_t ceil_of(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return whole + (value > static_cast<double>(whole));
}

Axis axis_of(std::int64_t box, std::int64_t box_size, std::int64_t scaled, std::int64_t window,
             std::int64_t window_size, std::int64_t visible, std::int64_t visible_size, int factor, int largest) {
  return {.start = box * factor,
          .stop = (box + box_size) * factor,
          .unit = largest,
          .scaled_px = scaled,
          .window_start = window,
          .blocks = (window_size + kBlockSide - 1) / kBlockSide,
          .visible_start = visible_size > 0 ? visible - window : 0,
          .visible_stop = visible_size > 0 ? visible - window + visible_size : 0};
}

}  // namespace

std::optional<std::int64_t> Axis::aligned_block() const {
  const bool whole = stop - start == scaled_px * unit && start % unit == 0;
  const std::int64_t first = start / unit + window_start;
  const bool shown = visible_start <= 0 && visible_stop >= kBlockSide * blocks;
  if (!whole || !shown || first % kBlockSide != 0) return std::nullopt;
  return first / kBlockSide;
}

Axes axes_of(const Geometry& geometry, const Component& component, const Frame& frame) {
  const Geometry& g = geometry;
  return {.rows = axis_of(g.box.top, g.box.height, g.scaled_height, g.window.top, g.window.height, g.visible.top,
                          g.visible.height, component.v, frame.v_max),
          .cols = axis_of(g.box.left, g.box.width, g.scaled_width, g.window.left, g.window.width, g.visible.left,
                          g.visible.width, component.h, frame.h_max)};
}

PixelWeights::PixelWeights(const Axis& axis)
    : lowest_(axis.lowest()), beyond_(axis.beyond()), window_start_(axis.window_start) {
  const auto unit = static_cast<double>(axis.unit);
  start_ = static_cast<double>(axis.start) / unit;
  scale_ = static_cast<double>(axis.stop - axis.start) / (unit * static_cast<double>(axis.scaled_px));
  support_ = std::max(1.0, scale_);
  slope_ = 1.0 / support_;
  most_ = static_cast<std::size_t>(std::min<std::int64_t>(ceil_of(2 * support_) + 2, beyond_ - lowest_));
}

// The weights are Pillow's (Resample.c, precompute_coeffs) and so torch's interpolate(antialias=True): a triangle of
// half-width max(1, scale) around the pixel's centre, over the samples between the floor and the ceiling of the box.
std::int64_t PixelWeights::write(std::int64_t pixel, double* weights, std::uint32_t& count) const {
  const double center = start_ + (static_cast<double>(window_start_ + pixel) + 0.5) * scale_;
  if (support_ > 1.0) return write_shrinking(center, weights, count);
  // Enlarged or of the same size: the two samples around the centre, or the only one at a border.
  const double at = center - 0.5;
  const std::int64_t low = floor_of(at);
  const double share = at - static_cast<double>(low);
  const bool has_low = low >= lowest_, has_high = low + 1 < beyond_ && share > 0.0;
  weights[0] = has_low && has_high ? 1.0 - share : 1.0;
  weights[has_low && has_high] = has_low && has_high ? share : 1.0;
  count = has_low && has_high ? 2 : 1;
  return std::clamp(low, lowest_, beyond_ - 1);
}

std::int64_t PixelWeights::write_shrinking(double center, double* weights, std::uint32_t& count) const {
  const auto weight = [=, this](std::int64_t sample) {
    return 1.0 - std::abs(static_cast<double>(sample) + 0.5 - center) * slope_;
  };
  std::int64_t low = std::clamp(floor_of(center - support_), lowest_, beyond_ - 1);
  std::int64_t high = std::clamp(ceil_of(center + support_), low + 1, beyond_);
  // The outermost are often half a sample too far.
  if (low + 1 < high && weight(low) <= 0.0) ++low;
  if (low + 1 < high && weight(high - 1) <= 0.0) --high;
  count = static_cast<std::uint32_t>(high - low);
  double total = 0.0;
  for (std::uint32_t i = 0; i < count; ++i) {
    weights[i] = std::max(0.0, weight(low + i));
    total += weights[i];
  }
  const double share = total > 0.0 ? 1.0 / total : 0.0;
  for (std::uint32_t i = 0; i < count; ++i) weights[i] *= share;
  return low;
}

}  // namespace freqlearn
