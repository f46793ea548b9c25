#include "kept_blocks.hpp"

#include <algorithm>
#include <array>

namespace freqlearn {

Plane kept_blocks(const Coefficient* blocks, std::size_t rows, std::size_t cols, const BlockRange& range) {
  Plane kept(rows, cols, Contents::unspecified);
  const auto zero = [&](std::size_t row, std::size_t col, std::size_t count) {
    std::fill_n(kept.block(row, col), 64 * count, Coefficient{0});
  };
  std::array<Coefficient, 64> mask{};
  for (std::size_t i = 0; i < 64; ++i) mask[i] = (range.coefficients >> i & 1) != 0 ? Coefficient{-1} : Coefficient{0};
  for (std::size_t row = 0; row < rows; ++row) {
    if (range.empty() || row < range.row_begin || row >= range.row_end) {
      zero(row, 0, cols);
      continue;
    }
    zero(row, 0, range.col_begin);
    const Coefficient* from = blocks + 64 * (row * cols + range.col_begin);
    Coefficient* to = kept.block(row, range.col_begin);
    for (std::size_t col = 0; col < range.cols(); ++col, from += 64, to += 64) {
      for (std::size_t i = 0; i < 64; ++i) to[i] = static_cast<Coefficient>(from[i] & mask[i]);
    }
    zero(row, range.col_end, cols - range.col_end);
  }
  return kept;
}

}  // namespace freqlearn
