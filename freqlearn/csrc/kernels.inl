// The loops themselves. Included by kernels_NAME.cpp, which define FREQLEARN_SET, the namespace, and
// FREQLEARN_WIDTH, the floats of a register.
#include <cstring>

#include "kernels.hpp"

namespace freqlearn::FREQLEARN_SET {
namespace {

#include "kernels_vectors.inl"
#include "kernels_turn.inl"
#include "kernels_weigh.inl"
#include "kernels_passes.inl"
#include "kernels_finish.inl"

}  // namespace

extern const Kernels kKernels;
const Kernels kKernels = {weigh, dequantise, rearrange, horizontal, vertical, finish};

}  // namespace freqlearn::FREQLEARN_SET
