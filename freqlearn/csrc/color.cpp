#include "color.hpp"

#include <cmath>
#include <numbers>

namespace freqlearn {
namespace {

// JPEG's coefficients are those of samples minus 128; Cb and Cr are stored around 128, so only Y keeps a shift.
constexpr double kLevelShift = 128.0;

Three apply(const Matrix3& matrix, const Three& value) {
  Three result{};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) result[i] += matrix[i][j] * value[j];
  }
  return result;
}

// One step; `gray` is the mean of Y - 128 that contrast blends with.
struct Step {
  Matrix3 matrix{};
  double y_offset = 0.0;
};

Step affine(const ColorStep& step, double gray) {
  const double factor = step.factor;
  Matrix3 matrix{{{factor, 0.0, 0.0}, {0.0, factor, 0.0}, {0.0, 0.0, factor}}};
  switch (step.kind) {
    case ColorStep::Kind::brightness: return {matrix, kLevelShift * (factor - 1.0)};
    case ColorStep::Kind::contrast: return {matrix, (1.0 - factor) * gray};
    case ColorStep::Kind::saturation: matrix[0][0] = 1.0; return {matrix, 0.0};
    case ColorStep::Kind::hue: {
      const double turn = 2.0 * std::numbers::pi * factor, cos = std::cos(turn), sin = std::sin(turn);
      return {{{{1.0, 0.0, 0.0}, {0.0, cos, -sin}, {0.0, sin, cos}}}, 0.0};
    }
    case ColorStep::Kind::fill: break;  // not an affine map of the picture
  }
  return {};
}

}  // namespace

Matrix3 operator*(const Matrix3& a, const Matrix3& b) {
  Matrix3 product{};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 3; ++k) product[i][j] += a[i][k] * b[k][j];
    }
  }
  return product;
}

ColorMap compose(const std::vector<ColorStep>& steps, const std::vector<LumaMean>& means) {
  ColorMap map;
  auto mean = means.begin();
  for (const ColorStep& step : steps) {
    if (step.kind == ColorStep::Kind::fill) {
      map.outside = apply(kRgbToYcbcr, step.rgb);
      map.outside[0] -= kLevelShift;
      continue;
    }
    double gray = 0.0;
    if (step.kind == ColorStep::Kind::contrast) {
      // No step mixes Cb or Cr into Y.
      const double picture = map.matrix[0][0] * mean->value + map.offset[0];
      gray = mean->share * picture + (1.0 - mean->share) * map.outside[0];
      ++mean;
    }
    const Step change = affine(step, gray);
    map.matrix = change.matrix * map.matrix;
    map.offset = apply(change.matrix, map.offset);
    map.outside = apply(change.matrix, map.outside);
    map.offset[0] += change.y_offset;
    map.outside[0] += change.y_offset;
  }
  return map;
}

}  // namespace freqlearn
