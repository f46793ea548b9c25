// Huffman tables for fast decoding: a look-up gives up to two coefficients, or up to four where only lengths matter.
#pragma once

#include <cstddef>
#include <cstdint>

#include "huffman.hpp"

namespace freqlearn {

// Nearly every file brings its own tables, and they share the first-level cache with all else: 11 bits are slower by 2 %
// of a file of 110 kB, 12 by 11 %.
inline constexpr unsigned kFastBits = 10;
inline constexpr unsigned kFastDcBits = 10;
// Bits that one look-up takes at most; longer codes are left to CanonicalCodes. Of the 56 that a refill gives, two
// look-ups leave enough to find the next.
inline constexpr unsigned kLongest = 22;

// A place in the zigzag sequence from here on means: end of block. Below, up to 63 is inside of it.
inline constexpr unsigned kEndOfBlock = 128;
// This far ahead is no coefficient: the code is longer than the index, or too long with its bits, or there is none.
inline constexpr unsigned kNoAdvance = 255;
// Highest place that look-ups can reach, plus one.
inline constexpr std::size_t kPlaces = 62 + kNoAdvance + 1;

// One look-up of AC codes: one coefficient, whose bits may lie behind the index, or two, of which the first lies in it
// altogether. Whole words, so that one load gives all, and the length is where shifts look for it: in the low 6 bits.
namespace ac_entry {
inline constexpr unsigned kLength = 0;        // of all codes and bits
inline constexpr unsigned kAdvance = 8;       // to the first coefficient, from the last one before
inline constexpr unsigned kLastShift = 16;    // where the last coefficient's bits begin
inline constexpr unsigned kLastSpare = 24;    // 63 minus their number
inline constexpr unsigned kValue = 32;        // of the first of two; anything for one alone, which is written after it
inline constexpr unsigned kLastAdvance = 48;  // from the first to the last
}  // namespace ac_entry

// One look-up of AC codes that only says how far it gets: the length, and from bit 8 on the advance.
namespace skip_entry {
inline constexpr unsigned kLength = 0, kAdvance = 8;
}  // namespace skip_entry

// One look-up of a DC code: the length of code and bits, 0 if there is no such code; its own; 63 minus its bits.
namespace dc_entry {
inline constexpr unsigned kLength = 0, kShift = 8, kSpare = 16;
}  // namespace dc_entry

// Codes of all lengths (T.81 F.2.2.3).
struct CanonicalCodes {
  std::uint32_t limit[17];  // where codes longer than this length begin, aligned to 16 bits
  std::int32_t offset[17];  // index of a code's symbol minus the code
  std::uint8_t symbols[256];
};

// Plain arrays: what is compiled for newer processors must not hold functions of the library's that others share.
struct FastAcTable {
  std::uint64_t entries[1 << kFastBits];
  std::uint16_t skips[1 << kFastBits];
  CanonicalCodes codes;
};

struct FastDcTable {
  std::uint32_t entries[1 << kFastDcBits];
  CanonicalCodes codes;
};

// `spec` has passed check(). Skips are only filled if asked for.
void build(const HuffmanSpec& spec, FastDcTable& table);
void build(const HuffmanSpec& spec, bool with_skips, FastAcTable& table);

}  // namespace freqlearn
