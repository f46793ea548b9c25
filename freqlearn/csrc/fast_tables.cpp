#include "fast_tables.hpp"

#include <algorithm>

namespace freqlearn {
namespace {

constexpr std::uint64_t kIndexMask = (1 << kFastBits) - 1;
constexpr std::uint64_t kByte = 255;
// The shift is one that no index has room for.
constexpr std::uint64_t kNoEntry =
    std::uint64_t{kNoAdvance} << ac_entry::kAdvance | std::uint64_t{63} << ac_entry::kLastShift |
    std::uint64_t{63} << ac_entry::kLastSpare;

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

// The entry of one code alone, without its value.
std::uint64_t single_entry(unsigned code_length, unsigned symbol) {
  const unsigned run = symbol >> 4, size = symbol & 15;
  if ((size == 0 && run != 0 && run != 15) || size > kLongest - kFastBits) return kNoEntry;
  const std::uint64_t advance = symbol == 0 ? kEndOfBlock : run + 1;
  return std::uint64_t{code_length + size} << ac_entry::kLength | advance << ac_entry::kAdvance |
         std::uint64_t{code_length} << ac_entry::kLastShift | std::uint64_t{63 - size} << ac_entry::kLastSpare;
}

// Writes the entries of one code, of every value it can have, and returns where the next begin.
std::uint64_t* fill_code(std::uint64_t* entries, unsigned code_length, unsigned symbol) {
  const std::uint64_t entry = single_entry(code_length, symbol);
  const unsigned size = symbol & 15;
  const std::size_t count = std::size_t{1} << (kFastBits - code_length);
  if (entry == kNoEntry || size == 0 || code_length + size > kFastBits) return std::fill_n(entries, count, entry);
  const std::size_t span = count >> size;
  const int values = 1 << size;
  for (int i = 0; i < values; ++i) {
    const auto value = static_cast<std::uint16_t>(i < values / 2 ? i + 1 - values : i);
    entries = std::fill_n(entries, span, entry | std::uint64_t{value} << ac_entry::kValue);
  }
  return entries;
}

// The first codes' entries of all indices.
void fill_singles(const HuffmanSpec& spec, std::uint64_t* singles) {
  std::uint64_t* const end = singles + kIndexMask + 1;
  std::size_t index = 0;
  for (unsigned length = 1; length <= kFastBits; ++length) {
    for (unsigned i = 0; i < spec.counts[length]; ++i) singles = fill_code(singles, length, spec.symbols[index++]);
  }
  std::fill(singles, end, kNoEntry);
}

constexpr std::uint64_t field(std::uint64_t entry, unsigned shift) { return entry >> shift & kByte; }

// Without a branch in the loop, here and below: none could be predicted.
void join_pairs(const std::uint64_t* singles, std::uint64_t* entries) {
  constexpr std::uint64_t kFirst = kByte << ac_entry::kAdvance | std::uint64_t{0xFFFF} << ac_entry::kValue;
  for (std::uint64_t i = 0; i <= kIndexMask; ++i) {
    const std::uint64_t entry = singles[i], length = field(entry, ac_entry::kLength);
    const std::uint64_t next = singles[i << length & kIndexMask];
    const std::uint64_t shift = length + field(next, ac_entry::kLastShift);
    const std::uint64_t pair = (entry & kFirst) | (length + field(next, ac_entry::kLength)) << ac_entry::kLength |
                               shift << ac_entry::kLastShift | (next & kByte << ac_entry::kLastSpare) |
                               field(next, ac_entry::kAdvance) << ac_entry::kLastAdvance;
    const bool ends = (field(entry, ac_entry::kAdvance) & kEndOfBlock) != 0;  // or is none
    entries[i] = static_cast<unsigned>(shift <= kFastBits) & static_cast<unsigned>(!ends) ? pair : entry;
  }
}

void fill_skips(const std::uint64_t* singles, const std::uint64_t* entries, std::uint16_t* skips) {
  const auto advance_of = [](std::uint64_t entry) {
    return field(entry, ac_entry::kAdvance) + (entry >> ac_entry::kLastAdvance);
  };
  for (std::uint64_t i = 0; i <= kIndexMask; ++i) {
    const std::uint64_t length = field(entries[i], ac_entry::kLength), advance = advance_of(entries[i]);
    const std::uint64_t pair = entries[i << length & kIndexMask], single = singles[i << length & kIndexMask];
    const std::uint64_t next = length + field(pair, ac_entry::kLastShift) <= kFastBits ? pair : single;
    const unsigned fits = static_cast<unsigned>(length + field(next, ac_entry::kLastShift) <= kFastBits) &
                          static_cast<unsigned>(advance < kEndOfBlock);
    const std::uint64_t more = fits ? ~std::uint64_t{0} : 0;
    skips[i] = static_cast<std::uint16_t>(
        (length + (field(next, ac_entry::kLength) & more)) << skip_entry::kLength |
        (advance + (advance_of(next) & more)) << skip_entry::kAdvance);
  }
}

}  // namespace

void build(const HuffmanSpec& spec, FastDcTable& table) {
  std::uint32_t* entry = table.entries;
  std::size_t index = 0;
  for (unsigned length = 1; length <= kFastDcBits; ++length) {
    const std::size_t span = std::size_t{1} << (kFastDcBits - length);
    for (unsigned i = 0; i < spec.counts[length]; ++i) {
      const unsigned size = spec.symbols[index++];
      const bool fits = length + size <= kLongest;
      entry = std::fill_n(entry, span,
                          fits ? (length + size) << dc_entry::kLength | length << dc_entry::kShift |
                                     (63 - size) << dc_entry::kSpare
                               : 0);
    }
  }
  std::fill(entry, std::end(table.entries), 0);
  build_codes(spec, table.codes);
}

void build(const HuffmanSpec& spec, bool with_skips, FastAcTable& table) {
  std::uint64_t singles[kIndexMask + 1];
  fill_singles(spec, singles);
  join_pairs(singles, table.entries);
  if (with_skips) fill_skips(singles, table.entries, table.skips);
  build_codes(spec, table.codes);
}

}  // namespace freqlearn
