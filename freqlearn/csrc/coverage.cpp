#include "coverage.hpp"

#include "band.hpp"

namespace freqlearn {

void Coverage::build(const Geometry& g, bool flip_rows, bool flip_cols) {
  padded_ = g.padded();
  if (!padded_) return;
  const std::int64_t top = g.visible.top - g.window.top, left = g.visible.left - g.window.left;
  rows_ = side(g.window.height, top, top + g.visible.height, flip_rows);
  cols_ = side(g.window.width, left, left + g.visible.width, flip_cols);
}

Coverage::Side Coverage::side(std::int64_t window, std::int64_t visible_start, std::int64_t visible_stop,
                              bool flipped) {
  const auto blocks = static_cast<std::size_t>((window + kBlockSide - 1) / kBlockSide);
  const DctMatrix& dct = dct_matrix();
  Side result;
  for (std::size_t f = 0; f < 8; ++f) {
    std::vector<double> sums(blocks, 0.0);
    const double sign = flipped && f % 2 == 1 ? -1.0 : 1.0;
    for (std::int64_t pixel = visible_start; pixel < visible_stop; ++pixel) {
      const auto block = static_cast<std::size_t>(pixel / kBlockSide);
      sums[flipped ? blocks - 1 - block : block] += sign * dct[f][static_cast<std::size_t>(pixel % kBlockSide)];
    }
    result[f].assign(sums.begin(), sums.end());
  }
  return result;
}

}  // namespace freqlearn
