#include "quantisation.hpp"

#include "error.hpp"

namespace freqlearn {

void parse_quant_tables(const Segment& segment, QuantSlots& slots, Warnings& warnings) {
  const std::size_t size = segment.payload.size();
  std::size_t at = 0;
  while (at < size) {
    const std::size_t offset = segment.body + at;
    const int precision = segment.u8(at) >> 4, index = segment.u8(at) & 15;
    if (precision > 1 || index > 3) {
      fail(ErrorKind::malformed, offset, "quantisation table: expected precision 0 or 1 and index 0 to 3, got ",
           precision, " and ", index);
    }
    const std::size_t width = precision == 0 ? 1 : 2;
    if (size - at - 1 < 64 * width) {
      fail(ErrorKind::malformed, offset, "quantisation table: expected ", 64 * width, " bytes, its marker has ",
           size - at - 1, " left");
    }
    ++at;
    QuantTable table;
    bool has_zero = false;
    for (const std::uint8_t place : kNatural) {
      table[place] = width == 1 ? segment.u8(at) : segment.u16(at);
      has_zero |= table[place] == 0;
      at += width;
    }
    if (has_zero) warnings.add("quantisation table ", index, " has zeros, at byte ", offset);
    slots[static_cast<std::size_t>(index)] = table;
  }
}

}  // namespace freqlearn
