// The mean of Y over a stage of the plan, gathered while the rows of blocks come: what contrast blends with.
#pragma once

#include <cstdint>
#include <vector>

#include "axis.hpp"
#include "color.hpp"
#include "kernels.hpp"

namespace freqlearn {

// One plane's share in it.
class PlaneSum {
 public:
  PlaneSum(const Axes& axes, double weight);

  // Input blocks that it needs; none if begin == end.
  [[nodiscard]] std::size_t row_begin() const { return rows_.begin; }
  [[nodiscard]] std::size_t row_end() const { return rows_.end; }
  [[nodiscard]] std::size_t col_begin() const { return cols_.begin; }
  [[nodiscard]] std::size_t col_end() const { return cols_.end; }
  // A row of dequantised blocks, [block][u][v], the first of them being `first`.
  void add(std::size_t row, const float* x, std::size_t first, const Kernels& kernels);
  // Sum over all output pixels, times the plane's weight.
  [[nodiscard]] double total() const { return weight_ * total_; }

 private:
  // The sum of one axis' pixels as weights of the coefficients of input blocks.
  struct Side {
    explicit Side(const Axis& axis);
    std::size_t begin = 0, end = 0;
    std::vector<double> weights;  // 8 a block
  };

  Side rows_, cols_;
  std::vector<float> col_weights_;
  double weight_, total_ = 0.0;
};

}  // namespace freqlearn
