// Eight rows of eight floats become columns. Included by kernels.inl.
#if FREQLEARN_SHUFFLES
#if FREQLEARN_WIDTH >= 8
#define FREQLEARN_PAIRS(a, b, i, j) \
  __builtin_shufflevector(a, b, i, 8 + (i), j, 8 + (j), 4 + (i), 12 + (i), 4 + (j), 12 + (j))
#define FREQLEARN_HALVES(a, b, i) \
  __builtin_shufflevector(a, b, i, 1 + (i), 8 + (i), 9 + (i), 4 + (i), 5 + (i), 12 + (i), 13 + (i))
#else
#define FREQLEARN_PAIRS(a, b, i, j) __builtin_shufflevector(a, b, i, 4 + (i), j, 4 + (j))
#define FREQLEARN_HALVES(a, b, i) __builtin_shufflevector(a, b, i, 1 + (i), 4 + (i), 5 + (i))
#endif

// Four rows of four floats (at kPart == 8: eight, the last four in the upper halves) become columns.
FREQLEARN_INLINE void transpose(Part& a, Part& b, Part& c, Part& d) {
  const Part ab_low = FREQLEARN_PAIRS(a, b, 0, 1), ab_high = FREQLEARN_PAIRS(a, b, 2, 3);
  const Part cd_low = FREQLEARN_PAIRS(c, d, 0, 1), cd_high = FREQLEARN_PAIRS(c, d, 2, 3);
  a = FREQLEARN_HALVES(ab_low, cd_low, 0);
  b = FREQLEARN_HALVES(ab_low, cd_low, 2);
  c = FREQLEARN_HALVES(ab_high, cd_high, 0);
  d = FREQLEARN_HALVES(ab_high, cd_high, 2);
}

FREQLEARN_INLINE Part load_column(const float* from, std::size_t row_floats) {
#if FREQLEARN_WIDTH >= 8
  typedef float Four __attribute__((vector_size(16)));
  Four low, high;
  std::memcpy(&low, from, sizeof low);
  std::memcpy(&high, from + 4 * row_floats, sizeof high);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
#else
  static_cast<void>(row_floats);
  Part four;
  std::memcpy(&four, from, sizeof four);
  return four;
#endif
}

// to[v][b] = from[b][v], eight by eight.
FREQLEARN_INLINE void turn(const float* __restrict from, std::size_t row_floats, float* __restrict to,
                           std::size_t stride) {
  for (int b = 0; b < 8; b += kPart) {
    for (int v = 0; v < 8; v += 4) {
      const float* at = from + static_cast<std::size_t>(b) * row_floats + v;
      Part rows[4];
      FREQLEARN_UNROLL
      for (int i = 0; i < 4; ++i) rows[i] = load_column(at + static_cast<std::size_t>(i) * row_floats, row_floats);
      transpose(rows[0], rows[1], rows[2], rows[3]);
      FREQLEARN_UNROLL
      for (int i = 0; i < 4; ++i) {
        std::memcpy(to + static_cast<std::size_t>(v + i) * stride + b, &rows[i], sizeof rows[i]);
      }
    }
  }
}
#endif
