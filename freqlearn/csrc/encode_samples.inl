// Pixels to the samples that libjpeg's encoder takes of them, to the last bit (jccolor.c, jcsample.c). Included by
// encode_kernels.inl.

// BT.601's shares of R, G, B in Y, Cb, Cr (ITU-T T.871, clause 7) in multiples of 2^-16, and what is added before the
// fraction is dropped: a half for Y; for Cb and Cr 128 and a little less than a half.
constexpr std::int32_t kHalf = 1 << 15, kCentre = (128 << 16) + kHalf - 1;

// Pixels at a time: their colours stay in the nearest cache.
constexpr std::size_t kColors = 256;

// colors[i] = R + 2^8 G + 2^16 B of `count` pixels; what is in the last byte says nothing.
FREQLEARN_INLINE void spread_colors(const std::uint8_t* rgb, std::size_t count, std::uint32_t* colors) {
  std::size_t i = 0;
#if FREQLEARN_SHUFFLES && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && (FREQLEARN_WIDTH >= 8 || defined(__ARM_NEON))
  // Older x86 processors have no instruction for this shuffle. A pixel more than four is read.
  typedef std::uint8_t Bytes __attribute__((vector_size(16)));
  for (; i + 6 <= count; i += 4) {
    Bytes four;
    std::memcpy(&four, rgb + 3 * i, sizeof four);
    four = __builtin_shufflevector(four, four, 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
    std::memcpy(colors + i, &four, sizeof four);
  }
#endif
  for (; i < count; ++i) colors[i] = rgb[3 * i] | rgb[3 * i + 1] << 8 | rgb[3 * i + 2] << 16;
}

FREQLEARN_INLINE void weigh_colors(const std::uint32_t* __restrict colors, std::size_t count, std::int32_t of_r,
                                   std::int32_t of_g, std::int32_t of_b, std::int32_t added,
                                   std::uint8_t* __restrict out) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto r = static_cast<std::int32_t>(colors[i] & 255), g = static_cast<std::int32_t>(colors[i] >> 8 & 255),
               b = static_cast<std::int32_t>(colors[i] >> 16 & 255);
    out[i] = static_cast<std::uint8_t>((of_r * r + of_g * g + of_b * b + added) >> 16);
  }
}

void to_ycbcr(const std::uint8_t* rgb, std::size_t count, std::uint8_t* y, std::uint8_t* cb, std::uint8_t* cr) {
  std::uint32_t colors[kColors];
  for (std::size_t begin = 0; begin < count; begin += kColors) {
    const std::size_t left = count - begin, some = left < kColors ? left : kColors;
    spread_colors(rgb + 3 * begin, some, colors);
    if (y != nullptr) weigh_colors(colors, some, 19595, 38470, 7471, kHalf, y + begin);
    if (cb != nullptr) weigh_colors(colors, some, -11059, -21709, 32768, kCentre, cb + begin);
    if (cr != nullptr) weigh_colors(colors, some, 32768, -27439, -5329, kCentre, cr + begin);
  }
}

// What is added before the division alternates from one average to the next, so that rounding favours neither way.
void halve(const std::uint8_t* __restrict line, std::size_t count, std::uint8_t* __restrict out) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<std::uint8_t>((line[2 * i] + line[2 * i + 1] + (i & 1)) >> 1);
  }
}

void quarter(const std::uint8_t* __restrict upper, const std::uint8_t* __restrict lower, std::size_t count,
             std::uint8_t* __restrict out) {
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned sum = unsigned{upper[2 * i]} + upper[2 * i + 1] + lower[2 * i] + lower[2 * i + 1];
    out[i] = static_cast<std::uint8_t>((sum + 1 + (i & 1)) >> 2);
  }
}
