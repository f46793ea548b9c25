// Walks a file's marker segments (ITU-T T.81, B.1.1): fill bytes, stray bytes, lengths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "warnings.hpp"

namespace freqlearn {

using Bytes = std::span<const std::uint8_t>;

// Second bytes of the markers that the decoder names.
namespace marker {
inline constexpr int TEM = 0x01;
inline constexpr int SOF0 = 0xC0, SOF1 = 0xC1, SOF2 = 0xC2, DHT = 0xC4, DAC = 0xCC;
inline constexpr int RST0 = 0xD0, RST7 = 0xD7, SOI = 0xD8, EOI = 0xD9, SOS = 0xDA, DQT = 0xDB, DRI = 0xDD;
inline constexpr int DNL = 0xDC, DHP = 0xDE, EXP = 0xDF, COM = 0xFE;
inline constexpr int APP0 = 0xE0, APP1 = 0xE1, APP14 = 0xEE, APP15 = 0xEF, JPG0 = 0xF0, JPG13 = 0xFD;

constexpr bool is_restart(int code) { return code >= RST0 && code <= RST7; }
constexpr bool has_no_length(int code) { return code == TEM || (code >= RST0 && code <= EOI); }
constexpr bool is_reserved(int code) { return code >= 0x02 && code <= 0xBF; }
}  // namespace marker

inline constexpr int kEndOfData = -1;

struct Segment {
  int code = kEndOfData;     // the marker's second byte, or kEndOfData
  std::size_t offset = 0;    // of the marker's 0xFF
  std::size_t body = 0;      // offset of the first byte after the length
  Bytes payload;             // without marker and length; empty for markers that have none
  std::size_t next = 0;      // offset of what follows

  [[nodiscard]] std::uint8_t u8(std::size_t i) const { return payload[i]; }
  [[nodiscard]] std::uint16_t u16(std::size_t i) const {
    return static_cast<std::uint16_t>(payload[i] << 8 | payload[i + 1]);
  }
};

// The next segment at or after `offset`. Bytes before its marker get an entry in `warnings`.
// Throws when the length is impossible or the segment goes past the end of the file.
Segment next_segment(Bytes data, std::size_t offset, Warnings& warnings);

}  // namespace freqlearn
