#include "luma_mean.hpp"

#include <algorithm>

#include "band.hpp"

namespace freqlearn {

PlaneSum::Side::Side(const Axis& axis) {
  if (axis.visible_start >= axis.visible_stop) return;
  const std::int64_t low = axis.lowest();
  begin = static_cast<std::size_t>(low / kBlockSide);
  end = static_cast<std::size_t>((axis.beyond() + kBlockSide - 1) / kBlockSide);
  std::vector<double> samples(8 * (end - begin), 0.0);
  const PixelWeights pixels(axis);
  std::vector<double> of_pixel(pixels.most());
  for (std::int64_t pixel = axis.visible_start; pixel < axis.visible_stop; ++pixel) {
    std::uint32_t count = 0;
    const auto first = static_cast<std::size_t>(pixels.write(pixel, of_pixel.data(), count)) - 8 * begin;
    for (std::uint32_t i = 0; i < count; ++i) samples[first + i] += of_pixel[i];
  }
  weights.assign(samples.size(), 0.0);
  const DctMatrix& dct = dct_matrix();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    for (std::size_t u = 0; u < 8; ++u) weights[i / 8 * 8 + u] += samples[i] * dct[u][i % 8];
  }
}

PlaneSum::PlaneSum(const Axes& axes, double weight)
    : rows_(axes.rows), cols_(axes.cols), col_weights_(cols_.weights.begin(), cols_.weights.end()), weight_(weight) {
  if (rows_.begin == rows_.end || cols_.begin == cols_.end) {
    rows_.begin = rows_.end = cols_.begin = cols_.end = 0;
  }
}

void PlaneSum::add(std::size_t row, const float* x, std::size_t first, const Kernels& kernels) {
  if (row < rows_.begin || row >= rows_.end) return;
  static constexpr std::uint8_t kAll[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  const TapSpan span{static_cast<std::uint32_t>(cols_.begin), static_cast<std::uint32_t>(cols_.end - cols_.begin), 0};
  float sums[8];
  kernels.horizontal({.x = x,
                      .spans = &span,
                      .spans_count = 1,
                      .first = first,
                      .weights = col_weights_.data(),
                      .frequencies = 1,
                      .inputs = 8,
                      .kept_v = kAll,
                      .kept_v_count = 8,
                      .h = sums,
                      .stride = 1});
  for (std::size_t v = 0; v < 8; ++v) total_ += rows_.weights[8 * (row - rows_.begin) + v] * sums[v];
}

}  // namespace freqlearn
