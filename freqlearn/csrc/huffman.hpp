// Huffman tables: as the file defines them (DHT, T.81 B.2.4.2), and ready to decode with (T.81 annex C and F.2.2.3).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "bit_reader.hpp"
#include "segments.hpp"

namespace freqlearn {

// As defined: number of codes of each length 1..16, and the symbols in order of their codes.
struct HuffmanSpec {
  std::array<std::uint8_t, 17> counts{};
  std::array<std::uint8_t, 256> symbols{};
  std::size_t size = 0;    // symbols in use
  std::size_t offset = 0;  // of the definition, for messages
};

struct HuffmanSlots {
  std::array<std::optional<HuffmanSpec>, 4> dc, ac;
};

// One DHT segment may hold several tables. Whether a table is a valid code is checked when a scan uses it.
void parse_huffman_tables(const Segment& segment, HuffmanSlots& slots);

// Throws if the codes do not form a prefix code in which no code is all ones, or a DC table has a symbol above 15.
void check(const HuffmanSpec& spec, bool is_dc);

class HuffmanTable {
 public:
  static constexpr int kNotACode = -1;

  HuffmanTable() = default;
  // `spec` has passed check().
  explicit HuffmanTable(const HuffmanSpec& spec);

  // Takes one code from `bits`, whose window holds at least 16, and returns its symbol or kNotACode.
  [[nodiscard]] int decode(BitReader& bits) const noexcept {
    const Entry entry = lookup_[bits.peek(kLookupBits)];
    if (entry.length != 0) [[likely]] {
      bits.drop(entry.length);
      return entry.symbol;
    }
    return decode_long(bits);
  }

 private:
  // Nearly every file brings its own tables, so a larger look-up costs more to fill than it saves.
  static constexpr unsigned kLookupBits = 10;
  struct Entry {
    std::uint8_t length = 0;  // 0: longer than kLookupBits, or no code
    std::uint8_t symbol = 0;
  };

  [[nodiscard]] int decode_long(BitReader& bits) const noexcept;

  std::array<Entry, 1 << kLookupBits> lookup_{};
  std::array<std::int32_t, 17> last_code_{};     // of each length; -1 for none
  std::array<std::int32_t, 17> symbol_offset_{};  // index of a code's symbol, minus the code
  std::array<std::uint8_t, 256> symbols_{};
};

}  // namespace freqlearn
