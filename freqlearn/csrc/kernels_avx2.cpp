// x86-64-v3: AVX2 and FMA.
#define FREQLEARN_SET avx2
#define FREQLEARN_WIDTH 8
#include "kernels.inl"
