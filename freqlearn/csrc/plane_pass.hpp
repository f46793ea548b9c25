// One plane of the file on its way through both banded passes: rows of blocks in, rows of output channels out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "band.hpp"
#include "block_rows.hpp"
#include "coverage.hpp"
#include "kernels.hpp"
#include "luma_mean.hpp"
#include "scratch.hpp"

namespace freqlearn {

// What is done to the values of a channel: values * scale + bias + coverage * coverage_scale.
struct Finish {
  double scale = 1.0, bias = 0.0, coverage_scale = 0.0;
};

// Writes rows of one channel into the output, whose strides are those of the stored frame.
class ChannelWriter {
 public:
  ChannelWriter(const Output& output, const Coverage& coverage, const Kernels& kernels)
      : output_(output), coverage_(coverage), kernels_(kernels) {}

  void write(std::size_t channel, int v, int u, std::size_t row, const float* values, const Finish& finish) const;

 private:
  const Output& output_;
  const Coverage& coverage_;
  const Kernels& kernels_;
};

class PlanePass {
 public:
  // Bands for the wanted frequencies (each ascending), copied from `like` where it has the same.
  void begin(const Axes& axes, const std::vector<int>& v, const std::vector<int>& u, bool flip_rows, bool flip_cols,
             const Kernels& kernels, const PlanePass* like);
  // The output's channel is (v, u) of this plane, and nothing else.
  void add_direct(int v, int u, std::size_t channel, const Finish& finish);
  // Keeps (v, u) for later: `map` of it has one float an output block.
  void add_map(int v, int u);
  [[nodiscard]] const float* map(int v, int u) const;
  void add_sum(PlaneSum sum) { sums_.push_back(std::move(sum)); }
  [[nodiscard]] const std::vector<PlaneSum>& sums() const { return sums_; }

  // What it needs of the plane. Coefficients are not wanted that no output value depends on, or none by as
  // much as `tolerance` for a quantisation step in every block. A table of zeros: not known yet.
  BlockRange start(const QuantTable& table, double tolerance);

  // After start(): by how much at most an output value changes where one coefficient of one block changes by 1, at
  // 8 * v + u; infinity where sums depend on it.
  [[nodiscard]] std::array<double, 64> peak() const;

  // A row of the range, as stored; its values go to `writer` when they are complete.
  void take(const BlockRow& row, const Kernels& kernels, const ChannelWriter& writer);
  // The same for dequantised blocks, natural order.
  void take_dequantised(std::size_t row, const float* blocks, const Kernels& kernels, const ChannelWriter& writer);
  // Rows that depend on nothing.
  void finish(const Kernels& kernels, const ChannelWriter& writer);

  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Direct {
    int v, u;
    std::size_t v_place, u_place, channel;
    Finish finish;
  };
  struct Map {
    int v, u;
    std::size_t v_place, u_place;
  };

  std::uint64_t needed(const QuantTable& table, double tolerance) const;
  void set_table(const QuantTable* table);
  void advance(std::size_t row, const Kernels& kernels, const ChannelWriter& writer);
  void emit_ready(const Kernels& kernels, const ChannelWriter& writer);
  void emit(std::size_t block_row, const Kernels& kernels, const ChannelWriter& writer);

  Band rows_, cols_;
  bool flip_rows_ = false;
  std::vector<Direct> direct_;
  std::vector<Map> maps_;
  std::vector<PlaneSum> sums_;
  BlockRange range_;
  std::array<float, 64> table_{};  // [u][v], zero for coefficients that are not needed
  bool has_table_ = false;

  std::size_t arrived_ = 0;  // input rows of blocks so far, counted from the plane's first
  std::size_t emitted_ = 0;  // output rows of blocks so far
  std::size_t row_floats_ = 0, ring_rows_ = 0;
  FloatBuffer x_, ring_, values_, map_values_;
  std::vector<const float*> taps_;
};

}  // namespace freqlearn
