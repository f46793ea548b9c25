// The hot loops of the encoder, built for several instruction sets; kernels.hpp says what must not be in them. All give
// the same bits: their arithmetic is in a fixed order, and CMakeLists.txt keeps compilers from fusing it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace freqlearn {

// Blocks that are transformed together.
inline constexpr std::size_t kGroupBlocks = 8;

// What is wanted of a component's blocks: frequencies up to the last wanted one, `columns` of u and `rows` of v.
struct ForwardPlan {
  std::size_t columns, rows;
  // [v][block of a group][u < columns]: what a coefficient is multiplied by before it is rounded; 0 where unwanted.
  float factors[8][8 * kGroupBlocks];
};

struct EncodeKernels {
  // Y, Cb and Cr of `count` pixels of three bytes; a null plane is not wanted.
  void (*to_ycbcr)(const std::uint8_t* rgb, std::size_t count, std::uint8_t* y, std::uint8_t* cb, std::uint8_t* cr);
  // Averages of two samples beside each other, and of two by two; `count` averages.
  void (*halve)(const std::uint8_t* line, std::size_t count, std::uint8_t* out);
  void (*quarter)(const std::uint8_t* upper, const std::uint8_t* lower, std::size_t count, std::uint8_t* out);
  // Quantised coefficients of a row of `count` blocks, the first of whose lines is `lines`. What lies beyond the plan's
  // rows and columns is left as it is.
  void (*transform)(const ForwardPlan& plan, const std::uint8_t* lines, std::size_t stride, std::size_t count,
                    std::int16_t* blocks);
};

namespace baseline {
extern const EncodeKernels kEncodeKernels;
}
namespace avx2 {
extern const EncodeKernels kEncodeKernels;
}
namespace avx512 {
extern const EncodeKernels kEncodeKernels;
}

}  // namespace freqlearn
