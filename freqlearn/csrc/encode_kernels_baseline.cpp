// x86-64 as it began (SSE2), and whatever other processors offer all programs.
#define FREQLEARN_SET baseline
#define FREQLEARN_WIDTH 4
#include "encode_kernels.inl"
