// Bits of entropy-coded data from which stuffing and restart markers have been taken out.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace freqlearn {

// Bytes that must be readable after the end: one block takes less than 64 * (16 + 15) bits, and whoever decodes a
// block asks overrun() after it, so the reader never gets farther than this.
inline constexpr std::size_t kReadAhead = 512;

// Where a reader stands: a 64-bit window, of which the top `count` bits are valid, and what comes behind those.
struct BitState {
  std::uint64_t window = 0;
  const std::uint8_t* next = nullptr;
  std::uint64_t count = 0;
};

// A 64-bit window, refilled by one unconditional load (Fabian Giesen, "Reading bits in far too many ways", variant 4).
class BitReader {
 public:
  BitReader(const std::uint8_t* begin, const std::uint8_t* end) noexcept : begin_(begin), end_(end) {
    state_.next = begin;
  }

  // For the fast decoder, which keeps it in registers.
  [[nodiscard]] BitState& state() noexcept { return state_; }
  [[nodiscard]] const std::uint8_t* end() const noexcept { return end_; }
  // Back to where it began.
  void rewind() noexcept { state_ = {0, begin_, 0}; }

  // At least 56 bits are in the window afterwards; bits behind the end are whatever follows in the buffer.
  void refill() noexcept {
    state_.window |= load_big_endian(state_.next) >> state_.count;
    state_.next += (63 - state_.count) >> 3;
    state_.count |= 56;
  }

  // The next `n` bits, 1 <= n <= 32, without taking them.
  [[nodiscard]] std::uint32_t peek(unsigned n) const noexcept {
    return static_cast<std::uint32_t>(state_.window >> (64 - n));
  }

  void drop(unsigned n) noexcept {
    state_.window <<= n;
    state_.count -= n;
  }

  // `n` bits as a number, 0 <= n <= 16.
  [[nodiscard]] std::uint32_t take(unsigned n) noexcept {
    const auto bits = static_cast<std::uint32_t>(state_.window >> 32 >> (32 - n));
    drop(n);
    return bits;
  }

  // A difference or coefficient of `size` bits, 0 <= size <= 15 (EXTEND of T.81 F.2.2.1).
  [[nodiscard]] std::int32_t take_signed(unsigned size) noexcept {
    const auto bits = static_cast<std::int32_t>(take(size));
    const std::int32_t negative = bits < (1 << size >> 1) ? 1 - (1 << size) : 0;
    return bits + negative;
  }

  // Negative once bits behind the end have been taken.
  [[nodiscard]] std::int64_t bits_left() const noexcept {
    return (end_ - state_.next) * 8 + static_cast<std::int64_t>(state_.count);
  }
  [[nodiscard]] bool overrun() const noexcept { return bits_left() < 0; }
  // Bytes of which at least one bit has been taken.
  [[nodiscard]] std::size_t bytes_taken() const noexcept {
    return static_cast<std::size_t>(((end_ - begin_) * 8 - bits_left() + 7) / 8);
  }

 private:
  static std::uint64_t load_big_endian(const std::uint8_t* p) noexcept {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    if constexpr (std::endian::native == std::endian::little) {
      word = (word & 0x00000000FFFFFFFF) << 32 | word >> 32;
      word = (word & 0x0000FFFF0000FFFF) << 16 | (word >> 16 & 0x0000FFFF0000FFFF);
      word = (word & 0x00FF00FF00FF00FF) << 8 | (word >> 8 & 0x00FF00FF00FF00FF);  // compiles to one bswap
    }
    return word;
  }

  BitState state_;
  const std::uint8_t* begin_;
  const std::uint8_t* end_;
};

}  // namespace freqlearn
