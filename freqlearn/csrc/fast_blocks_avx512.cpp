#define FREQLEARN_SET avx512
#include "fast_blocks.inl"
