// The loops themselves. Included by kernels_NAME.cpp, which define FREQLEARN_SET, the namespace, and
// FREQLEARN_WIDTH, the floats of a register.
#include <cstring>

#include "kernels.hpp"

namespace freqlearn::FREQLEARN_SET {
namespace {

#if defined(__GNUC__)
#define FREQLEARN_INLINE inline __attribute__((always_inline))
#define FREQLEARN_UNROLL _Pragma("GCC unroll 16")
template <class T, int Width>
struct VectorOf {
  typedef T Type __attribute__((vector_size(sizeof(T) * Width)));
};
#else
// Compilers without vector types: the same arithmetic, left to their optimiser.
#define FREQLEARN_INLINE inline
#define FREQLEARN_UNROLL
template <class T, int Width>
struct VectorOf {
  struct Type {
    T values[Width];
    Type& operator+=(const Type& other) {
      for (int i = 0; i < Width; ++i) values[i] += other.values[i];
      return *this;
    }
    Type operator*(T factor) const {
      Type product;
      for (int i = 0; i < Width; ++i) product.values[i] = values[i] * factor;
      return product;
    }
  };
};
#endif

#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
#define FREQLEARN_SHUFFLES 1
#else
#define FREQLEARN_SHUFFLES 0
#endif

constexpr int kWidth = FREQLEARN_WIDTH;
using Vector = VectorOf<float, kWidth>::Type;

// The eight v of one horizontal frequency, in one register or two.
constexpr int kPart = kWidth < 8 ? kWidth : 8, kParts = 8 / kPart;
using Part = VectorOf<float, kPart>::Type;

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
    const std::size_t begin = 8 * b < taps.begin ? taps.begin : 8 * b, end = taps.end < 8 * b + 8 ? taps.end : 8 * b + 8;
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
      for (int i = 0; i < 4; ++i) std::memcpy(to + static_cast<std::size_t>(v + i) * stride + b, &rows[i], sizeof rows[i]);
    }
  }
}
#endif

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

FREQLEARN_INLINE std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

FREQLEARN_INLINE float float_of(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// To the nearest, ties to even.
FREQLEARN_INLINE std::uint16_t bfloat16_of(float value) {
  const std::uint32_t bits = bits_of(value);
  const std::uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  const bool nan = (bits & 0x7FFFFFFF) > 0x7F800000;
  return static_cast<std::uint16_t>(nan ? 0x7FC0 : rounded);
}

FREQLEARN_INLINE std::uint16_t float16_of(float value) {
  const std::uint32_t bits = bits_of(value), size = bits & 0x7FFFFFFF;
  // From 2^-14 on: the exponent's bias goes from 127 to 15, the last 13 bits by rounding.
  const std::uint32_t rounded = (size - (112U << 23) + 0xFFF + (size >> 13 & 1)) >> 13;
  // Below: multiples of 2^-24, which are the last places of numbers from 0.5 to 1.
  const std::uint32_t tiny = bits_of(float_of(size) + 0.5F) - 0x3F000000U;
  std::uint32_t result = size < 0x38800000 ? tiny : rounded;
  result = size >= 0x477FF000 ? 0x7C00 : result;  // rounds to 2^16 or more
  result = size > 0x7F800000 ? 0x7E00 : result;
  return static_cast<std::uint16_t>(result | (bits >> 16 & 0x8000));
}

struct AsFloat32 {
  using Type = float;
  static FREQLEARN_INLINE float of(float value) { return value; }
};
struct AsFloat16 {
  using Type = std::uint16_t;
  static FREQLEARN_INLINE std::uint16_t of(float value) { return float16_of(value); }
};
struct AsBfloat16 {
  using Type = std::uint16_t;
  static FREQLEARN_INLINE std::uint16_t of(float value) { return bfloat16_of(value); }
};

template <class As>
void finish_as(const FinishedRow& row) {
  const float* __restrict values = row.values;
  const float* __restrict coverage = row.coverage;
  auto* __restrict out = static_cast<typename As::Type*>(row.data);
  const float scale = row.scale, bias = row.bias, coverage_scale = row.coverage_scale;
  const std::size_t count = row.count;
  const std::ptrdiff_t stride = row.stride;
  if (coverage != nullptr) {
    for (std::size_t i = 0; i < count; ++i) {
      *out = As::of(values[i] * scale + coverage[i] * coverage_scale + bias);
      out += stride;
    }
  } else if (stride == 1) {
    for (std::size_t i = 0; i < count; ++i) out[i] = As::of(values[i] * scale + bias);
  } else {
    for (std::size_t i = 0; i < count; ++i) out[static_cast<std::ptrdiff_t>(i) * stride] = As::of(values[i] * scale + bias);
  }
}

void finish(const FinishedRow& row) {
  switch (row.type) {
    case DataType::float32: return finish_as<AsFloat32>(row);
    case DataType::float16: return finish_as<AsFloat16>(row);
    case DataType::bfloat16: return finish_as<AsBfloat16>(row);
  }
}

}  // namespace

extern const Kernels kKernels;
const Kernels kKernels = {weigh, dequantise, rearrange, horizontal, vertical, finish};

}  // namespace freqlearn::FREQLEARN_SET
