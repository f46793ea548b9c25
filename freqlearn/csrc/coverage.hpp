// The channels of "1 where the picture is, 0 in the padding": a product of one vector an axis.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "plan.hpp"

namespace freqlearn {

class Coverage {
 public:
  // In the stored frame, mirrored as told. Without padding there is nothing to do.
  void build(const Geometry& geometry, bool flip_rows, bool flip_cols);

  [[nodiscard]] bool is_padded() const { return padded_; }
  [[nodiscard]] float down(int v, std::size_t row) const { return rows_[static_cast<std::size_t>(v)][row]; }
  // One value an output block of a row.
  [[nodiscard]] const float* across(int u) const { return cols_[static_cast<std::size_t>(u)].data(); }

 private:
  using Side = std::array<std::vector<float>, 8>;  // [frequency][output block]
  static Side side(std::int64_t window, std::int64_t visible_start, std::int64_t visible_stop, bool flipped);

  bool padded_ = false;
  Side rows_, cols_;
};

}  // namespace freqlearn
