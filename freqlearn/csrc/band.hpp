// The non-zero part of one axis' matrix from coefficients to coefficients, L = D . Window . Resize . Crop . D^T.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "axis.hpp"
#include "kernels.hpp"

namespace freqlearn {

// D of `coefficients = D samples`: orthonormal DCT-II, [frequency][sample] (freqlearn/dct.py).
using DctMatrix = std::array<std::array<double, 8>, 8>;
const DctMatrix& dct_matrix();

class Band {
 public:
  // Rows of the wanted frequencies (ascending) of an axis that has been checked; mirrored if told. Memory of an earlier
  // build is reused.
  void build(const Axis& axis, const std::vector<int>& frequencies, bool flipped, const Kernels& kernels);
  // Whether build() with these arguments made it.
  [[nodiscard]] bool is_of(const Axis& axis, const std::vector<int>& frequencies, bool flipped) const;
  // Every output block depends on nothing.
  void clear();
  // Leaves out the input coefficients whose bit is not set.
  void keep(unsigned inputs);

  [[nodiscard]] const Axis& axis() const { return axis_; }
  [[nodiscard]] const std::vector<int>& frequencies() const { return frequencies_; }
  [[nodiscard]] std::size_t place(int frequency) const;
  // Which input blocks each output block depends on, and where its weights are: [frequency][block][input].
  [[nodiscard]] const std::vector<TapSpan>& spans() const { return spans_; }
  [[nodiscard]] const std::vector<float>& weights() const { return weights_; }
  // The input coefficients of a block that count, and by how much at most an output value changes where one of the eight
  // changes by 1 in every block.
  [[nodiscard]] const std::vector<std::uint8_t>& inputs() const { return inputs_; }
  [[nodiscard]] const std::array<double, 8>& influence() const { return influence_; }
  // The same where it changes in one block alone.
  [[nodiscard]] std::array<double, 8> peak() const;
  // Input blocks from the first to the last one needed, and the most that one output block needs.
  [[nodiscard]] std::size_t begin() const { return begin_; }
  [[nodiscard]] std::size_t end() const { return end_; }
  [[nodiscard]] std::size_t most_blocks() const { return most_blocks_; }
  [[nodiscard]] std::size_t bytes() const;

 private:
  void build_aligned(std::int64_t first);
  void build_resized(const Kernels& kernels);
  void summarise();
  [[nodiscard]] double sign(std::size_t f) const { return flipped_ && frequencies_[f] % 2 == 1 ? -1.0 : 1.0; }
  [[nodiscard]] std::size_t output_place(std::size_t block) const {
    return flipped_ ? spans_.size() - 1 - block : block;
  }

  Axis axis_;
  std::vector<int> frequencies_;
  bool flipped_ = false;
  std::vector<TapSpan> spans_;
  std::vector<float> weights_;
  std::vector<std::uint8_t> inputs_;
  std::array<double, 8> influence_{};
  std::size_t begin_ = 0, end_ = 0, most_blocks_ = 0;
  std::vector<double> pixel_weights_, sums_;  // one output block's
};

}  // namespace freqlearn
