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
    drain();
  }

  // `index` counts from 0; markers count modulo 8.
  void restart(std::size_t index) {
    flush();
    bytes_.push_back(0xFF);
    bytes_.push_back(static_cast<std::uint8_t>(marker::RST0 + static_cast<int>(index % 8)));
  }

 private:
  // Whole bytes leave the window.
  void spill() {
    if (count_ + kMostSpilled > pending_.size()) drain();
    const std::uint64_t top = used_ == 0 ? 0 : window_ << (64 - used_);
    const unsigned whole = used_ / 8;
    used_ %= 8;
    if (has_byte_of_ones(top)) {
      for (unsigned i = 0; i < whole; ++i) {
        const auto byte = static_cast<std::uint8_t>(top >> (56 - 8 * i));
        pending_[count_++] = byte;
        if (byte == 0xFF) pending_[count_++] = 0;
      }
    } else {
      for (unsigned i = 0; i < 8; ++i) pending_[count_ + i] = static_cast<std::uint8_t>(top >> (56 - 8 * i));
      count_ += whole;
    }
  }

  // https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord, of the complement.
  static bool has_byte_of_ones(std::uint64_t word) {
    return ((~word - 0x0101010101010101) & word & 0x8080808080808080) != 0;
  }

  void drain() {
    bytes_.insert(bytes_.end(), pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count_));
    count_ = 0;
  }

  static constexpr std::size_t kMostSpilled = 16;

  std::vector<std::uint8_t>& bytes_;
  std::uint64_t window_ = 0;  // the low `used_` bits wait to be written
  unsigned used_ = 0;
  std::size_t count_ = 0;                     // of `pending_`, which wait too: one after another would take longer
  std::array<std::uint8_t, 1024> pending_;
};

}  // namespace freqlearn
