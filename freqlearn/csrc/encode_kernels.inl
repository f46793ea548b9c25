// The encoder's loops themselves. Included by encode_kernels_NAME.cpp, as kernels.inl is by its files.
#include <cstring>

#include "encode_kernels.hpp"

namespace freqlearn::FREQLEARN_SET {
namespace {

#include "kernels_vectors.inl"
#include "kernels_turn.inl"
#include "encode_samples.inl"
#include "encode_transform.inl"

}  // namespace

extern const EncodeKernels kEncodeKernels;
const EncodeKernels kEncodeKernels = {to_ycbcr, halve, quarter, transform};

}  // namespace freqlearn::FREQLEARN_SET
