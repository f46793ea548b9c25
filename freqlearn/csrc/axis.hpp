// One axis of one component's geometry, and the weights of its antialiased bilinear resize (freqlearn/bands.py).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "frame.hpp"
#include "plan.hpp"

namespace freqlearn {

inline constexpr std::int64_t kBlockSide = 8;

struct Axis {
  // The crop box in the component's samples is start / unit to stop / unit: fractional for subsampled components.
  std::int64_t start = 0, stop = 0, unit = 1;
  std::int64_t scaled_px = 0;     // what the box is resized to
  std::int64_t window_start = 0;  // first output pixel within the resized box
  std::int64_t blocks = 0;        // of 8 output pixels
  // Output pixels (within the window) that show picture.
  std::int64_t visible_start = 0, visible_stop = 0;

  friend bool operator==(const Axis&, const Axis&) = default;

  [[nodiscard]] std::int64_t lowest() const { return start / unit; }
  [[nodiscard]] std::int64_t beyond() const { return (stop + unit - 1) / unit; }
  [[nodiscard]] bool shows(std::int64_t pixel) const { return visible_start <= pixel && pixel < visible_stop; }
  // The input block that is the first output block, where the output is nothing but input blocks.
  [[nodiscard]] std::optional<std::int64_t> aligned_block() const;
};

struct Axes {
  Axis rows, cols;
};

// Of one component, the window rounded up to whole blocks (what is added: padding). `geometry` has been checked.
Axes axes_of(const Geometry& geometry, const Component& component, const Frame& frame);

// Which input samples an output pixel is made of.
class PixelWeights {
 public:
  explicit PixelWeights(const Axis& axis);

  // No pixel has more samples than this.
  [[nodiscard]] std::size_t most() const { return most_; }
  // For a pixel that the axis shows: writes the weights of consecutive samples, which sum to 1, and returns the first
  // sample; `count` is how many there are.
  std::int64_t write(std::int64_t pixel, double* weights, std::uint32_t& count) const;

 private:
  std::int64_t write_shrinking(double center, double* weights, std::uint32_t& count) const;

  std::int64_t lowest_, beyond_, window_start_;
  double start_, scale_, support_, slope_;
  std::size_t most_;
};

}  // namespace freqlearn
