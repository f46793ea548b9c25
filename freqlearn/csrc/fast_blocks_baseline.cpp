// fast_blocks.inl for this instruction set.
#define FREQLEARN_SET baseline
#include "fast_blocks.inl"
