// What is to be done to a picture: freqlearn/plan.py's Plan and freqlearn/color.py's steps in C++.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace freqlearn {

// Rows top to top + height, columns left to left + width, in px.
struct Box {
  std::int64_t top = 0, left = 0, height = 0, width = 0;

  [[nodiscard]] std::int64_t bottom() const { return top + height; }
  [[nodiscard]] std::int64_t right() const { return left + width; }
};

// Crop `box` out of the stored picture, resize it to `scaled_*`, show `window` of that; `visible` is the window's part
// that shows picture, the rest is padding (freqlearn/geometry.py).
struct Geometry {
  Box box;
  std::int64_t scaled_height = 0, scaled_width = 0;
  Box window, visible;

  [[nodiscard]] bool padded() const;
};

struct ColorStep {
  enum class Kind { brightness, contrast, saturation, hue, fill };
  Kind kind = Kind::brightness;
  double factor = 1.0;          // all but fill
  std::array<double, 3> rgb{};  // fill, 0..255
  Geometry geometry;            // contrast: the stage whose mean it blends with
};

// Everything in the stored picture's frame; the transposition and then the flips come last.
struct Plan {
  std::int64_t height = 0, width = 0;  // of the stored picture
  Geometry geometry;
  bool transposed = false, flip_horizontal = false, flip_vertical = false;
  std::vector<ColorStep> colors;
};

// Throws std::invalid_argument for what no picture of the plan's size can be put through. After it, all sums and
// products of the plan's numbers that the operator forms fit in 64 bits.
void check(const Plan& plan);

}  // namespace freqlearn
