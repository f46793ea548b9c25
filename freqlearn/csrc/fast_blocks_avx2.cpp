// fast_blocks.inl for this instruction set.
#define FREQLEARN_SET avx2
#include "fast_blocks.inl"
