#include "kept_blocks.hpp"

#include <algorithm>
#include <array>

namespace freqlearn {

Plane kept_blocks(const Coefficient* blocks, std::size_t rows, std::size_t cols, const BlockRange& range,
                  const std::array<std::uint16_t, 64>& smallest) {
  Plane kept(rows, cols, Contents::unspecified);
  const auto zero = [&](std::size_t row, std::size_t col, std::size_t count) {
    std::fill_n(kept.block(row, col), 64 * count, Coefficient{0});
  };
  // |x| >= s is x + s - 1 > 2 s - 2 in unsigned numbers of 16 bits, for s of 1 to 32768; no x is further than that.
  std::array<std::uint16_t, 64> shift{}, limit{};
  std::array<Coefficient, 64> mask{};
  for (std::size_t i = 0; i < 64; ++i) {
    const bool some = (range.coefficients >> i & 1) != 0 && smallest[i] <= 32768;
    shift[i] = static_cast<std::uint16_t>(some && smallest[i] > 0 ? smallest[i] - 1 : 0);
    limit[i] = static_cast<std::uint16_t>(2 * shift[i]);
    mask[i] = some ? Coefficient{-1} : Coefficient{0};
  }
  for (std::size_t row = 0; row < rows; ++row) {
    if (range.empty() || row < range.row_begin || row >= range.row_end) {
      zero(row, 0, cols);
      continue;
    }
    zero(row, 0, range.col_begin);
    const Coefficient* from = blocks + 64 * (row * cols + range.col_begin);
    Coefficient* to = kept.block(row, range.col_begin);
    for (std::size_t col = 0; col < range.cols(); ++col, from += 64, to += 64) {
      // In memory of its own and without a choice, or compilers take one coefficient at a time: ten times as slow.
      std::array<Coefficient, 64> left;
      for (std::size_t i = 0; i < 64; ++i) {
        const auto place = static_cast<std::uint16_t>(from[i] + shift[i]);
        const Coefficient far = place > limit[i] ? Coefficient{-1} : Coefficient{0};
        left[i] = static_cast<Coefficient>(from[i] & mask[i] & far);
      }
      std::copy(left.begin(), left.end(), to);
    }
    zero(row, range.col_end, cols - range.col_end);
  }
  return kept;
}

}  // namespace freqlearn
