// x86-64-v3: AVX2.
#define FREQLEARN_SET avx2
#define FREQLEARN_WIDTH 8
#include "encode_kernels.inl"
