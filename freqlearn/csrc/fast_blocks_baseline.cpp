#define FREQLEARN_SET baseline
#include "fast_blocks.inl"
