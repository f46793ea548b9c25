// The frame header (SOF, T.81 B.2.2): size, process, components and their block counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "segments.hpp"

namespace freqlearn {

constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// Blocks along one side of a component that has `factor` samples where the finest has `largest` (T.81 A.1.1).
constexpr std::size_t blocks_along(std::size_t px, int factor, int largest) {
  return ceil_div(px * static_cast<std::size_t>(factor), 8 * static_cast<std::size_t>(largest));
}

enum class Process { baseline, extended, progressive };

struct Component {
  int id = 0;
  int h = 1, v = 1;  // sampling factors, as in the file
  int quant_index = 0;
  // Blocks that hold samples of the picture: ceil(component size / 8), without the padding to whole MCUs.
  std::size_t rows = 0, cols = 0;

  [[nodiscard]] std::size_t blocks() const { return rows * cols; }
  friend bool operator==(const Component&, const Component&) = default;
};

struct Frame {
  Process process = Process::baseline;
  std::size_t width = 0, height = 0;  // px
  int h_max = 1, v_max = 1;
  std::size_t mcu_rows = 0, mcu_cols = 0;  // of an interleaved scan
  std::vector<Component> components;

  [[nodiscard]] bool progressive() const { return process == Process::progressive; }
  [[nodiscard]] std::size_t blocks() const;
  friend bool operator==(const Frame&, const Frame&) = default;
};

// True for SOF0..SOF15 and the markers that announce a process in their place (JPG, DHP, EXP, JPEG-LS).
bool is_frame_marker(int code);

// Fills in what the size and the components' sampling factors determine.
void set_block_counts(Frame& frame);

// Throws unsupported for processes that are not 8-bit Huffman, too_large above max_pixels.
Frame parse_frame(const Segment& segment, std::uint64_t max_pixels);

}  // namespace freqlearn
