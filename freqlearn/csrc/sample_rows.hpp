// Pixels to components' samples: colours, averages of subsampled ones, and the picture's edge repeated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "encode_kernels.hpp"
#include "frame.hpp"
#include "pixel_lines.hpp"

namespace freqlearn {

// The samples of one row of MCUs at a time.
class SampleRows {
 public:
  // Of the components in `wanted`, the only ones that are computed. Factors have to divide the largest.
  SampleRows(const PixelView& pixels, const Frame& frame, const std::array<bool, 3>& wanted,
             const EncodeKernels& kernels);

  void load(std::size_t mcu_row);

  // Of a wanted component, 8 lines for each of its rows of blocks that have something of the picture.
  [[nodiscard]] const std::uint8_t* samples(std::size_t component) const { return components_[component].lines(); }
  [[nodiscard]] std::size_t stride(std::size_t component) const { return components_[component].stride; }

 private:
  struct Samples {
    std::size_t h = 1, v = 1;                 // pixels that become one sample
    std::size_t lines_count = 0;              // of a row of MCUs
    std::size_t stride = 0;
    std::vector<std::uint8_t> full, averages;  // of every pixel, as wide as all blocks; what becomes of them

    [[nodiscard]] bool is_full() const { return h == 1 && v == 1; }
    [[nodiscard]] const std::uint8_t* lines() const { return is_full() ? full.data() : averages.data(); }
  };

  void convert(std::size_t first, std::size_t count);
  void average(Samples& samples, std::size_t full_lines) const;
  void average_line(Samples& samples, std::size_t line, std::size_t full_lines) const;

  PixelLines pixels_;
  const EncodeKernels& kernels_;
  std::size_t width_, height_, full_stride_, full_lines_;  // of pixels; of a row of MCUs
  bool is_gray_;
  std::array<bool, 3> wanted_;
  std::array<Samples, 3> components_;
};

}  // namespace freqlearn
