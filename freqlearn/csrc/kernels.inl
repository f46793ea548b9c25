// The loops themselves. Included by kernels_NAME.cpp, which define FREQLEARN_SET, the namespace, and
// FREQLEARN_WIDTH, the floats of a register.
#include <cstring>

#include "kernels.hpp"

namespace freqlearn::FREQLEARN_SET {
namespace {

#if defined(__GNUC__)
#define FREQLEARN_INLINE inline __attribute__((always_inline))
#define FREQLEARN_UNROLL _Pragma("GCC unroll 16")
template <int Width>
struct VectorOf {
  typedef float Type __attribute__((vector_size(sizeof(float) * Width)));
};
#else
// Compilers without vector types: the same arithmetic, left to their optimiser.
#define FREQLEARN_INLINE inline
#define FREQLEARN_UNROLL
template <int Width>
struct VectorOf {
  struct Type {
    float values[Width];
    Type& operator+=(const Type& other) {
      for (int i = 0; i < Width; ++i) values[i] += other.values[i];
      return *this;
    }
    Type operator*(float factor) const {
      Type product;
      for (int i = 0; i < Width; ++i) product.values[i] = values[i] * factor;
      return product;
    }
  };
};
#endif

constexpr int kWidth = FREQLEARN_WIDTH;
using Vector = VectorOf<kWidth>::Type;

// The eight v of one horizontal frequency, in one register or two.
constexpr int kPart = kWidth < 8 ? kWidth : 8, kParts = 8 / kPart;
using Part = VectorOf<kPart>::Type;

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
    for (std::size_t i = 0; i < pass.kept_v_count; ++i) {
      for (int f = 0; f < F; ++f) {
        float* __restrict h = pass.h + i * pass.stride + static_cast<std::size_t>(f) * pass.spans_count + begin;
        const float* __restrict from = &eight[0][f][pass.kept_v[i]];
        if (count == kTogether) {
          for (std::size_t b = 0; b < kTogether; ++b) h[b] = from[8 * F * b];
        } else {
          for (std::size_t b = 0; b < count; ++b) h[b] = from[8 * F * b];
        }
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
const Kernels kKernels = {dequantise, rearrange, horizontal, vertical, finish};

}  // namespace freqlearn::FREQLEARN_SET
