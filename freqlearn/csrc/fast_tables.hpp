// Huffman tables for fast decoding: a look-up gives up to two coefficients, or as many as fit where only lengths matter.
#pragma once

#include <cstddef>
#include <cstdint>

#include "huffman.hpp"

namespace freqlearn {

// 11 bits: nearly every file brings its own tables, and two of them stay in a first-level cache of 32 KiB.
inline constexpr unsigned kFastBits = 11;
inline constexpr unsigned kFastDcBits = 10;

// A place in the zigzag sequence from here on means: end of block. Below, up to 63 is inside of it.
inline constexpr unsigned kEndOfBlock = 128;
// Advances that far are no coefficient: the code is longer than the index, or there is none.
inline constexpr unsigned kNoAdvance = 255;
// Highest place that one look-up can reach, plus one.
inline constexpr std::size_t kPlaces = 63 + kNoAdvance + 1;

// One look-up of AC codes: one coefficient, whose bits follow the index in the data, or one before it that lies in the
// index altogether.
struct AcEntry {
  std::uint8_t length = 0;              // of all codes and bits
  std::uint8_t advance = kNoAdvance;    // to the first coefficient, from the last one before
  std::uint8_t last_shift = 0;          // where the last coefficient's bits begin
  std::uint8_t last_spare = 63;         // 63 - their number
  std::int16_t value = 0;               // of the first of two; of one alone anything, as the last is written after it
  std::uint8_t last_advance = 0;        // from the first to the last
  std::uint8_t unused = 0;
};
static_assert(sizeof(AcEntry) == 8);

// One look-up of AC codes that only says how far it gets.
struct SkipEntry {
  std::uint8_t length = 0, advance = kNoAdvance;
};

struct DcEntry {
  std::uint8_t length = 0;  // of code and bits; 0: the code is longer than the index, or there is none
  std::uint8_t shift = 0;   // length of the code
  std::uint8_t spare = 63;  // 63 - number of the bits
  std::uint8_t unused = 0;
};

// Codes of all lengths, for those that are longer than an index (T.81 F.2.2.3).
struct CanonicalCodes {
  std::uint32_t limit[17];  // where codes longer than this length begin, aligned to 16 bits
  std::int32_t offset[17];  // index of a code's symbol minus the code
  std::uint8_t symbols[256];
};

struct FastAcTable {
  AcEntry entries[1 << kFastBits];
  SkipEntry skips[1 << kFastBits];
  CanonicalCodes codes;
};

struct FastDcTable {
  DcEntry entries[1 << kFastDcBits];
  CanonicalCodes codes;
};

// No std::array: what is compiled for newer processors must not hold functions of the library's that others share.

// `spec` has been found valid by a HuffmanTable. Skips are only filled if asked for.
void build(const HuffmanSpec& spec, FastDcTable& table);
void build(const HuffmanSpec& spec, bool with_skips, FastAcTable& table);

}  // namespace freqlearn
