#include "pixel_lines.hpp"

namespace freqlearn {
namespace {

bool has_contiguous_lines(const PixelView& pixels) {
  return pixels.pixel_step == static_cast<std::ptrdiff_t>(pixels.channels) &&
         (pixels.channels == 1 || pixels.channel_step == 1);
}

}  // namespace

PixelLines::PixelLines(const PixelView& pixels) : pixels_(pixels) {
  if (!has_contiguous_lines(pixels)) copy_.resize(pixels.width * pixels.channels);
}

const std::uint8_t* PixelLines::line(std::size_t row) {
  const std::uint8_t* from = pixels_.data + static_cast<std::ptrdiff_t>(row) * pixels_.line_step;
  if (copy_.empty()) return from;
  std::uint8_t* to = copy_.data();
  for (std::size_t x = 0; x < pixels_.width; ++x, from += pixels_.pixel_step) {
    for (std::size_t channel = 0; channel < pixels_.channels; ++channel) {
      *to++ = from[static_cast<std::ptrdiff_t>(channel) * pixels_.channel_step];
    }
  }
  return copy_.data();
}

}  // namespace freqlearn
