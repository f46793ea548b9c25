// Carries out a plan: takes rows of coefficient blocks as they are decoded and leaves the finished tensor
// (freqlearn/operator.py).
//
// Everything is computed in the stored picture's frame; flips are in the bands, and a transposition only exchanges the
// output's strides and (v, u).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "band.hpp"
#include "block_rows.hpp"
#include "color.hpp"
#include "execute.hpp"
#include "kernels.hpp"
#include "luma_mean.hpp"
#include "plane_pass.hpp"

namespace freqlearn {

// What is kept from one picture to the next; one a thread.
struct Scratch {
  std::array<PlanePass, 3> passes;
  Coverage coverage;

  [[nodiscard]] std::size_t bytes() const;
};

class Operator final : public BlockRowSink {
 public:
  // Throws std::invalid_argument where plan, target and output do not fit each other. All of them, and `scratch`, must
  // stay; one Operator carries out one picture.
  Operator(const Plan& plan, const Target& target, const Output& output, InstructionSet set, Scratch& scratch);

  std::vector<BlockRange> wanted(const Info& info) override;
  // After wanted(): by how much at most an output value changes where one coefficient of one block of the file's plane
  // changes by 1, at 8 * v + u. Of RGB files rather too much.
  [[nodiscard]] std::array<double, 64> peak(std::size_t plane) const;
  void take(const BlockRow& row) override;
  // The same for a row of dequantised blocks, natural order.
  void take_dequantised(std::size_t component, std::size_t row, const float* blocks);
  // After the last row.
  void finish();

 private:
  // One of the target's channels, in the stored frame.
  struct Channel {
    int component = 0, v = 0, u = 0;
    std::size_t index = 0;
  };

  void check_target() const;
  void check_output() const;
  void check_picture(const Info& info) const;
  void plan_colors(const Info& info);
  void plan_plane(std::size_t plane, const Info& info);
  // Whether a component's channels are those of one plane of the file, and can be finished as they come.
  [[nodiscard]] bool is_direct(int component) const;
  [[nodiscard]] bool uses(int component, std::size_t plane) const;
  [[nodiscard]] Finish finish_of(const Channel& channel, double share) const;
  [[nodiscard]] std::vector<LumaMean> luma_means() const;
  void finish_mixed(const Channel& channel);

  const Plan& plan_;
  const Target& target_;
  Output output_;  // in the stored frame
  const Kernels& kernels_;
  Scratch& scratch_;
  ChannelWriter writer_;
  bool flip_rows_, flip_cols_;  // in the stored frame
  std::vector<Channel> channels_;
  std::vector<const Geometry*> contrasts_;  // the stages whose mean is needed

  std::size_t planes_ = 0;  // of the file
  ColorMap color_;          // but for contrast, whose means come last
  Matrix3 mix_{};           // from the file's planes to (Y, Cb, Cr) of the output
  Three luma_{1.0, 0.0, 0.0};  // from the file's planes to Y before any colour step
  std::array<bool, 3> active_{};  // planes of which anything is needed
};

}  // namespace freqlearn
