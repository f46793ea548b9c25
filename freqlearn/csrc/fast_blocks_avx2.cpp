#define FREQLEARN_SET avx2
#include "fast_blocks.inl"
