// Pixels to the samples that libjpeg's encoder takes of them, to the last bit (jccolor.c, jcsample.c). Included by
// encode_kernels.inl.

// BT.601's shares of R, G, B in Y, Cb, Cr (ITU-T T.871, clause 7) in multiples of 2^-16, and what is added before the
// fraction is dropped: a half for Y; for Cb and Cr 128 and a little less than a half.
constexpr std::int32_t kHalf = 1 << 15, kCentre = (128 << 16) + kHalf - 1;

// Pixels at a time: their colours, apart, stay in the nearest cache.
constexpr std::size_t kColors = 256;

FREQLEARN_INLINE void weigh_colors(const std::int32_t* __restrict r, const std::int32_t* __restrict g,
                                   const std::int32_t* __restrict b, std::size_t count, std::int32_t of_r,
                                   std::int32_t of_g, std::int32_t of_b, std::int32_t added,
                                   std::uint8_t* __restrict out) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<std::uint8_t>((of_r * r[i] + of_g * g[i] + of_b * b[i] + added) >> 16);
  }
}

#if FREQLEARN_SHUFFLES && (FREQLEARN_WIDTH >= 8 || defined(__ARM_NEON))
// Every third byte of 48, from `first` on. Older x86 processors have no instruction for it.
template <int First>
FREQLEARN_INLINE void every_third(const std::uint8_t* from, std::int32_t* out) {
  typedef std::uint8_t Bytes __attribute__((vector_size(16)));
  Bytes a, b, c;
  std::memcpy(&a, from, sizeof a);
  std::memcpy(&b, from + 16, sizeof b);
  std::memcpy(&c, from + 32, sizeof c);
  constexpr int f = First;
  // Eleven, ten or eleven of them are in the first 32 bytes; the rest in the last 16.
  constexpr int n = f == 2 ? 10 : 11;
  const Bytes ab = __builtin_shufflevector(a, b, f, f + 3, f + 6, f + 9, f + 12, f + 15, f + 18, f + 21, f + 24, f + 27,
                                           n > 10 ? f + 30 : 0, 0, 0, 0, 0, 0);
  const Bytes all = __builtin_shufflevector(ab, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, n > 10 ? 10 : f + 14, f + 17, f + 20,
                                            f + 23, f + 26, f + 29);
  std::uint8_t bytes[16];
  std::memcpy(bytes, &all, sizeof bytes);
  for (int i = 0; i < 16; ++i) out[i] = bytes[i];
}

FREQLEARN_INLINE std::size_t split_sixteens(const std::uint8_t* from, std::size_t count, std::int32_t* r,
                                            std::int32_t* g, std::int32_t* b) {
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    every_third<0>(from + 3 * i, r + i);
    every_third<1>(from + 3 * i, g + i);
    every_third<2>(from + 3 * i, b + i);
  }
  return i;
}
#else
FREQLEARN_INLINE std::size_t split_sixteens(const std::uint8_t*, std::size_t, std::int32_t*, std::int32_t*,
                                            std::int32_t*) {
  return 0;
}
#endif

void to_ycbcr(const std::uint8_t* rgb, std::size_t count, std::uint8_t* y, std::uint8_t* cb, std::uint8_t* cr) {
  std::int32_t r[kColors], g[kColors], b[kColors];
  for (std::size_t begin = 0; begin < count; begin += kColors) {
    const std::size_t left = count - begin, some = left < kColors ? left : kColors;
    const std::uint8_t* from = rgb + 3 * begin;
    for (std::size_t i = split_sixteens(from, some, r, g, b); i < some; ++i) {
      r[i] = from[3 * i];
      g[i] = from[3 * i + 1];
      b[i] = from[3 * i + 2];
    }
    if (y != nullptr) weigh_colors(r, g, b, some, 19595, 38470, 7471, kHalf, y + begin);
    if (cb != nullptr) weigh_colors(r, g, b, some, -11059, -21709, 32768, kCentre, cb + begin);
    if (cr != nullptr) weigh_colors(r, g, b, some, 32768, -27439, -5329, kCentre, cr + begin);
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
