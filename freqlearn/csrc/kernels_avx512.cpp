// x86-64-v4: AVX-512.
#define FREQLEARN_SET avx512
#define FREQLEARN_WIDTH 16
#include "kernels.inl"
