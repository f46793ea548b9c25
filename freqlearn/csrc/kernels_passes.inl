// Rows of blocks to values, and both banded passes. Included by kernels.inl.
void dequantise(const std::int16_t* __restrict blocks, std::size_t count, bool transposed,
                const float* __restrict table, const std::uint8_t* __restrict inputs, std::size_t inputs_count,
                float* __restrict x) {
  if (transposed && inputs_count == 8) {
    for (std::size_t b = 0; b < count; ++b) {
      for (int i = 0; i < 64; ++i) x[64 * b + i] = static_cast<float>(blocks[64 * b + i]) * table[i];
    }
    return;
  }
  for (std::size_t b = 0; b < count; ++b) {
    const std::int16_t* block = blocks + 64 * b;
    for (std::size_t i = 0; i < inputs_count; ++i, x += 8) {
      const std::size_t u = inputs[i];
      if (transposed) {
        for (int v = 0; v < 8; ++v) x[v] = static_cast<float>(block[8 * u + v]) * table[8 * u + v];
      } else {
        for (int v = 0; v < 8; ++v) x[v] = static_cast<float>(block[8 * v + u]) * table[8 * u + v];
      }
    }
  }
}

void rearrange(const float* __restrict blocks, std::size_t count, const float* __restrict table,
               const std::uint8_t* __restrict inputs, std::size_t inputs_count, float* __restrict x) {
  for (std::size_t b = 0; b < count; ++b) {
    for (std::size_t i = 0; i < inputs_count; ++i, x += 8) {
      const std::size_t u = inputs[i];
      for (int v = 0; v < 8; ++v) x[v] = blocks[64 * b + 8 * v + u] * table[8 * u + v];
    }
  }
}

// One output block, `F` wanted frequencies: out[f][v] = sum over t of w[f][t] x[t][v].
template <int F>
FREQLEARN_INLINE void horizontal_block(const float* __restrict x, const float* __restrict w, std::size_t taps,
                                       float* __restrict out) {
  Part sums[F][kParts];
  FREQLEARN_UNROLL
  for (int f = 0; f < F; ++f) {
    FREQLEARN_UNROLL
    for (int p = 0; p < kParts; ++p) sums[f][p] = Part{};
  }
  for (std::size_t t = 0; t < taps; ++t) {
    FREQLEARN_UNROLL
    for (int p = 0; p < kParts; ++p) {
      Part in;
      std::memcpy(&in, x + 8 * t + kPart * p, sizeof in);
      FREQLEARN_UNROLL
      for (int f = 0; f < F; ++f) sums[f][p] += in * w[f * taps + t];
    }
  }
  FREQLEARN_UNROLL
  for (int f = 0; f < F; ++f) {
    FREQLEARN_UNROLL
    for (int p = 0; p < kParts; ++p) std::memcpy(out + 8 * f + kPart * p, &sums[f][p], sizeof sums[f][p]);
  }
}

template <int F>
void horizontal_of(const RowPass& pass) {
  constexpr std::size_t kTogether = 8;
  float eight[kTogether][F][8];
  for (std::size_t begin = 0; begin < pass.spans_count; begin += kTogether) {
    const std::size_t left = pass.spans_count - begin, count = left < kTogether ? left : kTogether;
    for (std::size_t b = 0; b < count; ++b) {
      const TapSpan span = pass.spans[begin + b];
      const std::size_t skipped = span.count == 0 ? 0 : span.first - pass.first;
      horizontal_block<F>(pass.x + 8 * pass.inputs * skipped, pass.weights + span.weights, span.count * pass.inputs,
                          &eight[b][0][0]);
    }
    for (int f = 0; f < F; ++f) {
      float* h = pass.h + static_cast<std::size_t>(f) * pass.spans_count + begin;
#if FREQLEARN_SHUFFLES
      if (count == kTogether && pass.kept_v_count == 8) {
        turn(eight[0][f], 8 * F, h, pass.stride);
        continue;
      }
#endif
      for (std::size_t i = 0; i < pass.kept_v_count; ++i, h += pass.stride) {
        for (std::size_t b = 0; b < count; ++b) h[b] = eight[b][f][pass.kept_v[i]];
      }
    }
  }
}

void horizontal(const RowPass& pass) {
  switch (pass.frequencies) {
    case 1: return horizontal_of<1>(pass);
    case 2: return horizontal_of<2>(pass);
    case 3: return horizontal_of<3>(pass);
    case 4: return horizontal_of<4>(pass);
    case 5: return horizontal_of<5>(pass);
    case 6: return horizontal_of<6>(pass);
    case 7: return horizontal_of<7>(pass);
    case 8: return horizontal_of<8>(pass);
    default: return;
  }
}

// `F` frequencies x `N` registers of the output at a time.
template <int F, int N>
FREQLEARN_INLINE void vertical_tile(const float* const* __restrict rows, std::size_t taps,
                                    const float* __restrict weights, std::size_t at, std::size_t floats,
                                    float* __restrict out) {
  Vector sums[F][N];
  FREQLEARN_UNROLL
  for (int f = 0; f < F; ++f) {
    FREQLEARN_UNROLL
    for (int n = 0; n < N; ++n) sums[f][n] = Vector{};
  }
  for (std::size_t t = 0; t < taps; ++t) {
    FREQLEARN_UNROLL
    for (int n = 0; n < N; ++n) {
      Vector in;
      std::memcpy(&in, rows[t] + at + kWidth * n, sizeof in);
      FREQLEARN_UNROLL
      for (int f = 0; f < F; ++f) sums[f][n] += in * weights[f * taps + t];
    }
  }
  FREQLEARN_UNROLL
  for (int f = 0; f < F; ++f) {
    FREQLEARN_UNROLL
    for (int n = 0; n < N; ++n) std::memcpy(out + f * floats + at + kWidth * n, &sums[f][n], sizeof sums[f][n]);
  }
}

template <int F>
void vertical_of(const float* const* rows, std::size_t taps, const float* weights, std::size_t floats, float* out) {
  constexpr int kTogether = kWidth == 16 ? 4 : 2;
  constexpr std::size_t kTile = std::size_t{kTogether} * kWidth;
  std::size_t at = 0;
  for (; at + kTile <= floats; at += kTile) vertical_tile<F, kTogether>(rows, taps, weights, at, floats, out);
  for (; at < floats; at += kWidth) vertical_tile<F, 1>(rows, taps, weights, at, floats, out);
}

void vertical(const float* const* rows, std::size_t taps, const float* weights, std::size_t frequencies,
              std::size_t floats, float* out) {
  std::size_t f = 0;
  for (; f + 4 <= frequencies; f += 4) vertical_of<4>(rows, taps, weights + f * taps, floats, out + f * floats);
  weights += f * taps;
  out += f * floats;
  switch (frequencies - f) {
    case 1: return vertical_of<1>(rows, taps, weights, floats, out);
    case 2: return vertical_of<2>(rows, taps, weights, floats, out);
    case 3: return vertical_of<3>(rows, taps, weights, floats, out);
    default: return;
  }
}
