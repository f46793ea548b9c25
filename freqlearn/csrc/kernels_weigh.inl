// The weights of one output block of an axis. Included by kernels.inl.
// Eight doubles, in one to four registers.
constexpr int kDoubles = kWidth / 2, kDoubleParts = 8 / kDoubles;
using Double = VectorOf<double, kDoubles>::Type;

template <int F>
FREQLEARN_INLINE void weigh_frequencies(const BlockTaps& taps, const double* __restrict sums, float* __restrict out) {
  for (std::size_t b = 0; b < taps.blocks; ++b) {
    Double weights[F][kDoubleParts];
    FREQLEARN_UNROLL
    for (int f = 0; f < F; ++f) {
      FREQLEARN_UNROLL
      for (int p = 0; p < kDoubleParts; ++p) weights[f][p] = Double{};
    }
    const std::size_t begin = 8 * b < taps.begin ? taps.begin : 8 * b;
    const std::size_t end = taps.end < 8 * b + 8 ? taps.end : 8 * b + 8;
    for (std::size_t s = begin; s < end; ++s) {
      FREQLEARN_UNROLL
      for (int p = 0; p < kDoubleParts; ++p) {
        Double inverse;
        std::memcpy(&inverse, taps.inverse + 8 * (s % 8) + kDoubles * p, sizeof inverse);
        FREQLEARN_UNROLL
        for (int f = 0; f < F; ++f) weights[f][p] += inverse * sums[8 * s + f];
      }
    }
    FREQLEARN_UNROLL
    for (int f = 0; f < F; ++f) {
      double eight[8];
      FREQLEARN_UNROLL
      for (int p = 0; p < kDoubleParts; ++p) std::memcpy(eight + kDoubles * p, &weights[f][p], sizeof(Double));
      for (int u = 0; u < 8; ++u) out[8 * (f * taps.blocks + b) + u] = static_cast<float>(eight[u]);
    }
  }
}

void weigh(const BlockTaps& taps, double* sums, float* out) {
  // From samples to the wanted frequencies ...
  std::memset(sums + 8 * taps.begin, 0, 8 * sizeof(double) * (taps.end - taps.begin));
  for (int pixel = 0; pixel < 8; ++pixel) {
    Double forward[kDoubleParts];
    FREQLEARN_UNROLL
    for (int p = 0; p < kDoubleParts; ++p) {
      std::memcpy(&forward[p], taps.forward + 8 * pixel + kDoubles * p, sizeof forward[p]);
    }
    double* to = sums + 8 * taps.first[pixel];
    for (std::uint32_t i = 0; i < taps.count[pixel]; ++i, to += 8) {
      const double weight = taps.weights[pixel][i];
      FREQLEARN_UNROLL
      for (int p = 0; p < kDoubleParts; ++p) {
        Double sum;
        std::memcpy(&sum, to + kDoubles * p, sizeof sum);
        sum += forward[p] * weight;
        std::memcpy(to + kDoubles * p, &sum, sizeof sum);
      }
    }
  }
  // ... and from the input's coefficients to its samples.
  std::size_t f = 0;
  for (; f + 4 <= taps.frequencies; f += 4) weigh_frequencies<4>(taps, sums + f, out + 8 * f * taps.blocks);
  for (; f < taps.frequencies; ++f) weigh_frequencies<1>(taps, sums + f, out + 8 * f * taps.blocks);
}
