// x86-64-v4: AVX-512. Registers of eight floats all the same: a block has eight lines.
#define FREQLEARN_SET avx512
#define FREQLEARN_WIDTH 8
#include "encode_kernels.inl"
