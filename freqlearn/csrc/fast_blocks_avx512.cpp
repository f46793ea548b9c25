// fast_blocks.inl for this instruction set.
#define FREQLEARN_SET avx512
#include "fast_blocks.inl"
