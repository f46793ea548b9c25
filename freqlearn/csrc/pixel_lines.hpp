// Pixels as a caller has them in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace freqlearn {

// (height, width, channels) bytes, gray (1) or RGB (3), with steps in bytes of either sign.
struct PixelView {
  const std::uint8_t* data = nullptr;
  std::size_t height = 0, width = 0, channels = 0;
  std::ptrdiff_t line_step = 0, pixel_step = 0, channel_step = 0;
};

// Its lines, contiguous: copied where they are not.
class PixelLines {
 public:
  explicit PixelLines(const PixelView& pixels);

  // width * channels bytes, until the next call.
  const std::uint8_t* line(std::size_t row);

 private:
  PixelView pixels_;
  std::vector<std::uint8_t> copy_;  // empty where none is needed
};

}  // namespace freqlearn
