// All colour steps of a plan as one affine map of level-shifted (Y, Cb, Cr) (freqlearn/color.py).
#pragma once

#include <array>
#include <vector>

#include "plan.hpp"

namespace freqlearn {

using Three = std::array<double, 3>;
using Matrix3 = std::array<Three, 3>;

// ITU-T T.871 (JFIF), clause 7: full-range BT.601, (R, G, B) in 0..255 -> (Y, Cb, Cr) with Cb and Cr around zero.
inline constexpr Matrix3 kRgbToYcbcr = {{{0.299, 0.587, 0.114},
                                         {-0.299 / 1.772, -0.587 / 1.772, 0.886 / 1.772},
                                         {0.701 / 1.402, -0.587 / 1.402, -0.114 / 1.402}}};

Matrix3 operator*(const Matrix3& a, const Matrix3& b);

// Y of a stage of the plan before any colour step: the mean of Y - 128 over the picture's pixels in the window, and the
// picture's share of the window.
struct LumaMean {
  double value = 0.0, share = 0.0;
};

// A picture's pixel c becomes `matrix` c + `offset`; the padding is `outside`.
struct ColorMap {
  Matrix3 matrix{{{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}, {0.0, 0.0, 1.0}}};
  Three offset{}, outside{-128.0, 0.0, 0.0};  // black
};

// `means`: one for each contrast step. They change nothing but offset[0] and outside[0].
ColorMap compose(const std::vector<ColorStep>& steps, const std::vector<LumaMean>& means);

}  // namespace freqlearn
