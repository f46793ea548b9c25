#include "sample_rows.hpp"

#include <algorithm>

namespace freqlearn {

SampleRows::SampleRows(const PixelView& pixels, const Frame& frame, const std::array<bool, 3>& wanted,
                       const EncodeKernels& kernels)
    : pixels_(pixels),
      kernels_(kernels),
      width_(pixels.width),
      height_(pixels.height),
      full_stride_(frame.mcu_cols * 8 * static_cast<std::size_t>(frame.h_max)),
      full_lines_(8 * static_cast<std::size_t>(frame.v_max)),
      is_gray_(pixels.channels == 1),
      wanted_(wanted) {
  for (std::size_t i = 0; i < frame.components.size(); ++i) {
    if (!wanted_[i]) continue;
    const Component& component = frame.components[i];
    Samples& samples = components_[i];
    samples.h = static_cast<std::size_t>(frame.h_max / component.h);
    samples.v = static_cast<std::size_t>(frame.v_max / component.v);
    samples.stride = full_stride_ / samples.h;
    samples.lines_count = full_lines_ / samples.v;
    samples.full.resize(full_stride_ * full_lines_);
    if (!samples.is_full()) samples.averages.resize(samples.stride * samples.lines_count);
  }
}

void SampleRows::load(std::size_t mcu_row) {
  const std::size_t first = mcu_row * full_lines_, count = std::min(full_lines_, height_ - first);
  convert(first, count);
  for (std::size_t i = 0; i < components_.size(); ++i) {
    if (wanted_[i]) average(components_[i], count);
  }
}

void SampleRows::convert(std::size_t first, std::size_t count) {
  for (std::size_t line = 0; line < count; ++line) {
    const std::uint8_t* pixels = pixels_.line(first + line);
    std::array<std::uint8_t*, 3> to{};
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (wanted_[i]) to[i] = components_[i].full.data() + full_stride_ * line;
    }
    if (is_gray_) {
      std::copy_n(pixels, width_, to[0]);
    } else {
      kernels_.to_ycbcr(pixels, width_, to[0], to[1], to[2]);
    }
    // At the right it is always pixels that are repeated, not averages.
    for (std::uint8_t* samples : to) {
      if (samples != nullptr) std::fill(samples + width_, samples + full_stride_, samples[width_ - 1]);
    }
  }
}

// Below the picture, pixels are repeated until there are enough for an average, and then the last line of averages is
// (libjpeg's jcprepct.c).
void SampleRows::average(Samples& samples, std::size_t full_lines) const {
  const std::size_t count = ceil_div(full_lines, samples.v);
  if (!samples.is_full()) {
    for (std::size_t line = 0; line < count; ++line) average_line(samples, line, full_lines);
  }
  std::uint8_t* lines = samples.is_full() ? samples.full.data() : samples.averages.data();
  const std::uint8_t* last = lines + samples.stride * (count - 1);
  for (std::size_t line = count; line < samples.lines_count; ++line) {
    std::copy_n(last, samples.stride, lines + samples.stride * line);
  }
}

void SampleRows::average_line(Samples& samples, std::size_t line, std::size_t full_lines) const {
  std::array<const std::uint8_t*, 4> from{};
  for (std::size_t i = 0; i < samples.v; ++i) {
    from[i] = samples.full.data() + full_stride_ * std::min(samples.v * line + i, full_lines - 1);
  }
  std::uint8_t* to = samples.averages.data() + samples.stride * line;
  if (samples.h == 2 && samples.v == 1) return kernels_.halve(from[0], samples.stride, to);
  if (samples.h == 2 && samples.v == 2) return kernels_.quarter(from[0], from[1], samples.stride, to);
  const std::size_t divisor = samples.h * samples.v;
  for (std::size_t x = 0; x < samples.stride; ++x) {
    std::size_t sum = divisor / 2;
    for (std::size_t i = 0; i < samples.v; ++i) {
      for (std::size_t k = 0; k < samples.h; ++k) sum += from[i][samples.h * x + k];
    }
    to[x] = static_cast<std::uint8_t>(sum / divisor);
  }
}

}  // namespace freqlearn
