// Storage of quantised coefficients: one plane a component.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "frame.hpp"

namespace freqlearn {

using Coefficient = std::int16_t;
using Block = Coefficient*;  // 64 of them, natural order

enum class Contents {
  zeros,       // of a large plane the pages come from the system already zeroed, and are committed when first written
  unspecified  // for who writes every block
};

// (rows, cols, 8, 8) int16, natural order. The memory is shared with the arrays that are handed out.
class Plane {
 public:
  Plane() = default;
  Plane(std::size_t rows, std::size_t cols, Contents contents);

  [[nodiscard]] bool allocated() const { return coefficients_ != nullptr; }
  [[nodiscard]] Block block(std::size_t row, std::size_t col) const { return block(row * cols_ + col); }
  [[nodiscard]] Block block(std::size_t index) const { return coefficients_.get() + 64 * index; }
  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t cols() const { return cols_; }
  [[nodiscard]] const std::shared_ptr<Coefficient[]>& coefficients() const { return coefficients_; }

  // For progressive refinement: bit k of a block's mask says that the k-th coefficient in zigzag order is not zero
  // (AC only). Passing over a block that has nothing to refine then costs one load, not 63.
  void allocate_masks();
  [[nodiscard]] std::uint64_t* masks() const { return masks_.get(); }
  void drop_masks() { masks_.reset(); }

 private:
  struct Free {
    void operator()(void* p) const noexcept { std::free(p); }
  };

  std::size_t rows_ = 0, cols_ = 0;
  std::shared_ptr<Coefficient[]> coefficients_;
  std::unique_ptr<std::uint64_t[], Free> masks_;
};

// Bytes of entropy-coded data that a frame's blocks take at least: every block two bits in a sequential scan (a DC and
// an AC code), one in a progressive one (a DC code).
std::uint64_t least_data(const Frame& frame);

// Whether a file with only `available` bytes of data may be such a frame's, cut: up to four times as much was there, or
// its planes take no more than 32 MiB. Beyond that, what can be read is not worth the memory.
bool may_be_cut(const Frame& frame, std::size_t available);

}  // namespace freqlearn
