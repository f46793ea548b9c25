/* What a Huffman decoder cannot go below on this machine: its chain of look-ups, each waiting for the one before.

   Compiled at run time by freqlearn.pipelines.bench.floor; the caller takes the time. */

#include <stdint.h>

/* `count` additions, each waiting for the one before: one cycle each. */
uint64_t additions(uint64_t count, uint64_t step) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < count; ++i) {
    sum += step;
    __asm__ volatile("" : "+r"(sum));
  }
  return sum;
}

/* `count` symbols as in a decoder that refills once per four: shift, load the length, shift. `lengths` has 1024. */
uint64_t lookups(uint64_t count, const uint8_t *lengths, const uint64_t *bits, uint64_t words) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < count; i += 4) {
    uint64_t word = bits[(i / 4) % words] ^ (sum & 1);
    for (int k = 0; k < 4; ++k) {
      const uint8_t length = lengths[word >> 54];
      word <<= length;
      sum += length;
    }
  }
  return sum;
}
