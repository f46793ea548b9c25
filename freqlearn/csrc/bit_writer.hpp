// Entropy-coded data: bits in, bytes with stuffing out (T.81 B.1.1.5, F.1.2.3).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "segments.hpp"

namespace freqlearn {

class BitWriter {
 public:
  // Appends to `bytes`, which has to stay.
  explicit BitWriter(std::vector<std::uint8_t>& bytes) : bytes_(bytes) {}

  // The low `length` bits of `bits`, at most 32; those above them are zero.
  void put(std::uint32_t bits, unsigned length) {
    if (used_ + length > 64) spill();
    window_ = window_ << length | bits;
    used_ += length;
  }

  // Fills the last byte with ones.
  void flush() {
    if (const unsigned spare = (8 - used_ % 8) % 8; spare > 0) put((1u << spare) - 1, spare);
    spill();
  }

  // `index` counts from 0; markers count modulo 8.
  void restart(std::size_t index) {
    flush();
    bytes_.push_back(0xFF);
    bytes_.push_back(static_cast<std::uint8_t>(marker::RST0 + static_cast<int>(index % 8)));
  }

 private:
  void spill() {
    std::array<std::uint8_t, 16> spilled;
    std::size_t count = 0;
    while (used_ >= 8) {
      used_ -= 8;
      const auto byte = static_cast<std::uint8_t>(window_ >> used_);
      spilled[count++] = byte;
      if (byte == 0xFF) spilled[count++] = 0;
    }
    bytes_.insert(bytes_.end(), spilled.begin(), spilled.begin() + static_cast<std::ptrdiff_t>(count));
  }

  std::vector<std::uint8_t>& bytes_;
  std::uint64_t window_ = 0;  // the low `used_` bits wait to be written
  unsigned used_ = 0;
};

}  // namespace freqlearn
