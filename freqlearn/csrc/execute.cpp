#include "execute.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "error.hpp"
#include "operator.hpp"

namespace freqlearn {
namespace {

// A thread keeps this much from one picture to the next; ordinary plans need some hundred kB.
constexpr std::size_t kKeptBytes = std::size_t{16} << 20;

Scratch& scratch_of_thread() {
  thread_local Scratch scratch;
  if (scratch.bytes() > kKeptBytes) scratch = Scratch{};
  return scratch;
}

// The headers that a file with these planes would have.
Info info_of(std::span<const StoredPlane> planes, const std::string& color_space, const Plan& plan) {
  Info info;
  info.color_space = color_space;
  Frame& frame = info.frame;
  check(plan);
  frame.height = static_cast<std::size_t>(plan.height);
  frame.width = static_cast<std::size_t>(plan.width);
  for (const StoredPlane& plane : planes) {
    if (plane.h < 1 || plane.h > 4 || plane.v < 1 || plane.v > 4) {
      throw std::invalid_argument(join("expected sampling factors of 1 to 4, got ", plane.h, "x", plane.v));
    }
    frame.h_max = std::max(frame.h_max, plane.h);
    frame.v_max = std::max(frame.v_max, plane.v);
  }
  for (const StoredPlane& plane : planes) {
    Component component;
    component.h = plane.h;
    component.v = plane.v;
    component.rows = blocks_along(frame.height, plane.v, frame.v_max);
    component.cols = blocks_along(frame.width, plane.h, frame.h_max);
    if (plane.rows != component.rows || plane.cols != component.cols) {
      throw std::invalid_argument(join("expected a plane of ", component.rows, "x", component.cols, " blocks, got ",
                                       plane.rows, "x", plane.cols));
    }
    frame.components.push_back(component);
    info.quant_tables.push_back(plane.quant_table);
  }
  return info;
}

// For an operator that is only asked what it needs: nothing is written before the first row comes.
Output output_for(const Plan& plan, const Target& target, float* nothing) {
  const Box& window = plan.geometry.window;
  std::int64_t rows = window.height / kBlockSide, cols = window.width / kBlockSide;
  if (plan.transposed) std::swap(rows, cols);
  return {.data = nothing,
          .type = DataType::float32,
          .channels = static_cast<std::int64_t>(target.channels.size()),
          .rows = rows,
          .cols = cols,
          .channel_stride = 1,
          .row_stride = 1,
          .col_stride = 1};
}

}  // namespace

void execute(Bytes data, const Plan& plan, const Target& target, const Output& output, std::uint64_t max_pixels,
             InstructionSet set) {
  Operator sink(plan, target, output, set, scratch_of_thread());
  decode_rows(data, max_pixels, sink, set);
  sink.finish();
}

void execute_planes(std::span<const StoredPlane> planes, const std::string& color_space, const Plan& plan,
                    const Target& target, const Output& output, InstructionSet set) {
  Operator sink(plan, target, output, set, scratch_of_thread());
  const Info info = info_of(planes, color_space, plan);
  const std::vector<BlockRange> wanted = sink.wanted(info);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].empty()) continue;
    const StoredPlane& plane = planes[i];
    for (std::size_t row = wanted[i].row_begin; row < wanted[i].row_end; ++row) {
      const std::size_t first = 64 * (row * plane.cols + wanted[i].col_begin);
      if (plane.quantised != nullptr) {
        sink.take({.component = i,
                   .row = row,
                   .blocks = plane.quantised + first,
                   .order = BlockOrder::natural,
                   .quant_table = &plane.quant_table});
      } else {
        sink.take_dequantised(i, row, plane.dequantised + first);
      }
    }
  }
  sink.finish();
}

std::vector<BlockRange> needed_blocks(std::span<const StoredPlane> planes, const std::string& color_space,
                                      const Plan& plan, const Target& target) {
  float nothing = 0.0F;
  const Output output = output_for(plan, target, &nothing);
  Operator sink(plan, target, output, best_instruction_set(), scratch_of_thread());
  return sink.wanted(info_of(planes, color_space, plan));
}

std::vector<std::array<double, 64>> peak_weights(std::span<const StoredPlane> planes, const std::string& color_space,
                                                 const Plan& plan, const Target& target) {
  float nothing = 0.0F;
  const Output output = output_for(plan, target, &nothing);
  Operator sink(plan, target, output, best_instruction_set(), scratch_of_thread());
  sink.wanted(info_of(planes, color_space, plan));
  std::vector<std::array<double, 64>> peaks;
  for (std::size_t plane = 0; plane < planes.size(); ++plane) peaks.push_back(sink.peak(plane));
  return peaks;
}

}  // namespace freqlearn
