// The hot loops of the operator, built for several instruction sets. Nothing here may be instantiated or inlined by
// their files: what two of them emitted under one name, the linker would keep once, for whichever processor.
#pragma once

#include <cstddef>
#include <cstdint>

#include "output.hpp"

namespace freqlearn {

// What one output block is made of: `count` input blocks from `first` on, weights from `weights` on.
struct TapSpan {
  std::uint32_t first, count;
  std::size_t weights;
};

// Rows of floats begin at multiples of this, and are so long.
inline constexpr std::size_t kRowFloats = 16;

// One output block of an axis: what each of its pixels is made of, and the frequencies that are wanted of it.
struct BlockTaps {
  const double* weights[8];  // of consecutive samples, for each pixel
  std::uint32_t first[8];    // the first of them, counted from that of `blocks` input blocks
  std::uint32_t count[8];
  std::uint32_t begin, end;  // all samples that occur
  std::size_t blocks, frequencies;
  const double* forward;  // [pixel][frequency] of the DCT, eight a row, zero beyond `frequencies`
  const double* inverse;  // [sample][frequency]
};

// One row of blocks on its way through the horizontal pass.
struct RowPass {
  const float* x;  // [block][input][8 v]
  const TapSpan* spans;
  std::size_t spans_count;
  std::size_t first;  // the input block that x begins with
  const float* weights;
  std::size_t frequencies, inputs;  // wanted of a block of the output, kept of one of the input
  const std::uint8_t* kept_v;
  std::size_t kept_v_count;
  float* h;  // [kept v][frequency][output block], rows of `stride`
  std::size_t stride;
};

// A row of one channel on its way into the tensor: values * scale + bias + coverage * coverage_scale.
struct FinishedRow {
  const float* values;
  const float* coverage;  // null for none
  std::size_t count;
  float scale, bias, coverage_scale;
  void* data;
  std::ptrdiff_t stride;  // elements
  DataType type;
};

struct Kernels {
  // out[frequency][input block][u], by way of sums[sample][frequency], eight a row.
  void (*weigh)(const BlockTaps& taps, double* sums, float* out);
  // x[block][i][v] = blocks[block][v][inputs[i]] * table[inputs[i]][v]; `transposed` says that blocks are [u][v] too.
  void (*dequantise)(const std::int16_t* blocks, std::size_t count, bool transposed, const float* table,
                     const std::uint8_t* inputs, std::size_t inputs_count, float* x);
  // The same for blocks that are dequantised, natural order.
  void (*rearrange)(const float* blocks, std::size_t count, const float* table, const std::uint8_t* inputs,
                    std::size_t inputs_count, float* x);
  void (*horizontal)(const RowPass& pass);
  // out[f] = sum over t of weights[f][t] * rows[t], all of `floats` values (a multiple of kRowFloats).
  void (*vertical)(const float* const* rows, std::size_t taps, const float* weights, std::size_t frequencies,
                   std::size_t floats, float* out);
  void (*finish)(const FinishedRow& row);
};

namespace baseline {
extern const Kernels kKernels;
}
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}

}  // namespace freqlearn
