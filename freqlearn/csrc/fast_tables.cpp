#include "fast_tables.hpp"

#include <algorithm>

namespace freqlearn {
namespace {

constexpr unsigned kIndexMask = (1U << kFastBits) - 1;
// Two look-ups go with one refill, which gives 56 bits.
constexpr unsigned kLongestSkip = 27;

void build_codes(const HuffmanSpec& spec, CanonicalCodes& codes) {
  std::uint32_t code = 0;
  std::int32_t index = 0;
  for (unsigned length = 1; length <= 16; ++length) {
    codes.offset[length] = index - static_cast<std::int32_t>(code);
    code += spec.counts[length];
    index += spec.counts[length];
    codes.limit[length] = code << (16 - length);
    code <<= 1;
  }
  std::copy(spec.symbols.begin(), spec.symbols.end(), codes.symbols);
}

// Calls place(first, count, length, symbol) for each code of at most `bits` bits: its range in a table of that index.
template <class Place>
void for_each_code(const HuffmanSpec& spec, unsigned bits, Place&& place) {
  std::size_t code = 0, index = 0;
  for (unsigned length = 1; length <= bits; ++length) {
    const std::size_t span = std::size_t{1} << (bits - length);
    for (unsigned i = 0; i < spec.counts[length]; ++i) place(code++ * span, span, length, spec.symbols[index++]);
    code <<= 1;
  }
}

AcEntry entry_of(unsigned code_length, unsigned symbol) {
  const unsigned run = symbol >> 4, size = symbol & 15;
  if (size == 0 && run != 0 && run != 15) return {};
  AcEntry entry;
  entry.length = static_cast<std::uint8_t>(code_length + size);
  entry.advance = static_cast<std::uint8_t>(symbol == 0 ? kEndOfBlock : run + 1);
  entry.last_shift = static_cast<std::uint8_t>(code_length);
  entry.last_spare = static_cast<std::uint8_t>(63 - size);
  return entry;
}

}  // namespace

void build(const HuffmanSpec& spec, FastDcTable& table) {
  std::fill(std::begin(table.entries), std::end(table.entries), DcEntry{});
  for_each_code(spec, kFastDcBits, [&](std::size_t first, std::size_t count, unsigned length, unsigned symbol) {
    const DcEntry entry{static_cast<std::uint8_t>(length + symbol), static_cast<std::uint8_t>(length),
                        static_cast<std::uint8_t>(63 - symbol), 0};
    std::fill_n(table.entries + first, count, entry);
  });
  build_codes(spec, table.codes);
}

void build(const HuffmanSpec& spec, bool with_skips, FastAcTable& table) {
  // Every index with its first code alone.
  std::array<AcEntry, 1 << kFastBits> single;
  single.fill(AcEntry{});
  for_each_code(spec, kFastBits, [&](std::size_t first, std::size_t count, unsigned length, unsigned symbol) {
    AcEntry entry = entry_of(length, symbol);
    const unsigned size = symbol & 15;
    auto at = single.begin() + static_cast<std::ptrdiff_t>(first);
    if (entry.length == 0 || size == 0 || entry.length > kFastBits) {
      std::fill_n(at, count, entry);
      return;
    }
    const std::ptrdiff_t span = static_cast<std::ptrdiff_t>(count) >> size;
    const int values = 1 << size;
    for (int i = 0; i < values; ++i, at += span) {
      entry.value = static_cast<std::int16_t>(i < values / 2 ? i + 1 - values : i);
      std::fill_n(at, span, entry);
    }
  });
  for (unsigned i = 0; i <= kIndexMask; ++i) {
    AcEntry entry = single[i];
    if (entry.length < kFastBits) {
      const AcEntry next = single[i << entry.length & kIndexMask];
      const unsigned shift = unsigned{entry.length} + next.last_shift;
      if (entry.advance < kEndOfBlock && next.length != 0 && shift <= kFastBits) {
        entry.length = static_cast<std::uint8_t>(entry.length + next.length);
        entry.last_advance = next.advance;
        entry.last_shift = static_cast<std::uint8_t>(shift);
        entry.last_spare = next.last_spare;
      }
    }
    table.entries[i] = entry;
  }
  if (with_skips) {
    for (unsigned i = 0; i <= kIndexMask; ++i) {
      unsigned length = 0, advance = 0;
      for (;;) {
        const AcEntry next = single[(i << length) & kIndexMask];
        if (next.length == 0 || length + next.last_shift > kFastBits || length + next.length > kLongestSkip) break;
        length += next.length;
        advance += next.advance;
        if (next.advance == kEndOfBlock || length >= kFastBits || advance > 62) break;
      }
      table.skips[i] = length == 0 ? SkipEntry{}
                                   : SkipEntry{static_cast<std::uint8_t>(length), static_cast<std::uint8_t>(advance)};
    }
  }
  build_codes(spec, table.codes);
}

}  // namespace freqlearn
