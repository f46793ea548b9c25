#include "huffman.hpp"

#include <algorithm>

#include "error.hpp"

namespace freqlearn {

void parse_huffman_tables(const Segment& segment, HuffmanSlots& slots) {
  const std::size_t size = segment.payload.size();
  std::size_t at = 0;
  while (at < size) {
    HuffmanSpec spec;
    spec.offset = segment.body + at;
    const int table_class = segment.u8(at) >> 4, index = segment.u8(at) & 15;
    if (table_class > 1 || index > 3) {
      fail(ErrorKind::malformed, spec.offset, "Huffman table: expected class 0 or 1 and index 0 to 3, got ",
           table_class, " and ", index);
    }
    if (size - at < 17) {
      fail(ErrorKind::malformed, spec.offset, "Huffman table: expected 17 bytes of header, its marker has ", size - at,
           " left");
    }
    for (std::size_t length = 1; length <= 16; ++length) {
      spec.counts[length] = segment.u8(at + length);
      spec.size += spec.counts[length];
    }
    at += 17;
    if (spec.size > 256 || spec.size > size - at) {
      fail(ErrorKind::malformed, spec.offset, "Huffman table: expected at most ", std::min<std::size_t>(256, size - at),
           " symbols (what its marker holds), got ", spec.size);
    }
    std::copy_n(segment.payload.begin() + static_cast<std::ptrdiff_t>(at), spec.size, spec.symbols.begin());
    at += spec.size;
    (table_class == 0 ? slots.dc : slots.ac)[static_cast<std::size_t>(index)] = spec;
  }
}

void check(const HuffmanSpec& spec, bool is_dc) {
  std::int32_t code = 0;
  for (unsigned length = 1; length <= 16; ++length) {
    const std::int32_t count = spec.counts[length];
    const std::int32_t limit = std::int32_t{1} << length;
    if (count > 0 && code + count >= limit) {
      fail(ErrorKind::malformed, spec.offset, "invalid Huffman table: expected at most ",
           std::max(0, limit - 1 - code), " codes of ", length, " bits (none of all ones), got ", count);
    }
    code = (code + count) << 1;
  }
  if (!is_dc) return;
  for (std::size_t i = 0; i < spec.size; ++i) {
    if (spec.symbols[i] > 15) {
      fail(ErrorKind::malformed, spec.offset, "invalid Huffman table: expected DC symbols 0 to 15, got ",
           int{spec.symbols[i]});
    }
  }
}

HuffmanTable::HuffmanTable(const HuffmanSpec& spec) : symbols_(spec.symbols) {
  std::int32_t code = 0;
  std::int32_t index = 0;
  for (unsigned length = 1; length <= 16; ++length) {
    symbol_offset_[length] = index - code;
    const std::int32_t count = spec.counts[length];
    if (length <= kLookupBits) {
      const unsigned spare = kLookupBits - length;
      for (std::int32_t i = 0; i < count; ++i) {
        const Entry entry{static_cast<std::uint8_t>(length), symbols_[static_cast<std::size_t>(index + i)]};
        std::fill_n(lookup_.begin() + (static_cast<std::ptrdiff_t>(code + i) << spare), 1 << spare, entry);
      }
    }
    code += count;
    index += count;
    last_code_[length] = count > 0 ? code - 1 : -1;
    code <<= 1;
  }
}

int HuffmanTable::decode_long(BitReader& bits) const noexcept {
  for (unsigned length = kLookupBits + 1; length <= 16; ++length) {
    const auto code = static_cast<std::int32_t>(bits.peek(length));
    if (code <= last_code_[length]) {
      bits.drop(length);
      return symbols_[static_cast<std::size_t>(code + symbol_offset_[length])];
    }
  }
  return kNotACode;
}

}  // namespace freqlearn
