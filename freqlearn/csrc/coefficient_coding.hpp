// How a coefficient becomes a symbol and bits (T.81 F.1.2), and which ones the format has room for.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "planes.hpp"
#include "quantisation.hpp"

namespace freqlearn {

// Largest sizes in bits in a picture of 8-bit samples (T.81 tables F.1 and F.2).
inline constexpr unsigned kMaxDcSize = 11, kMaxAcSize = 10;

struct Magnitude {
  unsigned size = 0;       // how many bits
  std::uint32_t bits = 0;  // of a negative value those of value - 1
};

inline Magnitude magnitude_of(std::int32_t value) {
  const std::int32_t sign = value >> 31;
  const auto size = static_cast<unsigned>(std::bit_width(static_cast<std::uint32_t>((value ^ sign) - sign)));
  return {size, static_cast<std::uint32_t>(value + sign) & ((1u << size) - 1)};
}

// kZigzag[8 * v + u] is a coefficient's place in the zigzag sequence.
inline constexpr std::array<std::uint8_t, 64> kZigzag = [] {
  std::array<std::uint8_t, 64> zigzag{};
  for (unsigned k = 0; k < 64; ++k) zigzag[kNatural[k]] = static_cast<std::uint8_t>(k);
  return zigzag;
}();

// kZigzagBits[v][x]: bit k for each place 8 * v + u of which x has bit u.
inline constexpr std::array<std::array<std::uint64_t, 256>, 8> kZigzagBits = [] {
  std::array<std::array<std::uint64_t, 256>, 8> bits{};
  for (unsigned v = 0; v < 8; ++v) {
    for (unsigned x = 0; x < 256; ++x) {
      for (unsigned u = 0; u < 8; ++u) bits[v][x] |= std::uint64_t{x >> u & 1} << kZigzag[8 * v + u];
    }
  }
  return bits;
}();

// Bit i: the i-th of four coefficients is not zero.
inline unsigned nonzero_of_four(const Coefficient* four) {
  if constexpr (std::endian::native == std::endian::little) {
    constexpr std::uint64_t kLow = 0x7FFF7FFF7FFF7FFF;
    std::uint64_t word;
    std::memcpy(&word, four, sizeof word);
    // The highest bit of each, then all four beside each other.
    const std::uint64_t flags = (((word & kLow) + kLow) | word) >> 15 & 0x0001000100010001;
    return static_cast<unsigned>(flags * 0x0001000200040008 >> 48) & 15;
  } else {
    unsigned flags = 0;
    for (unsigned i = 0; i < 4; ++i) flags |= unsigned{four[i] != 0} << i;
    return flags;
  }
}

// Bit k: the k-th coefficient of a block in zigzag order is not zero.
inline std::uint64_t nonzero_in_zigzag(const Coefficient* block) {
  std::uint64_t present = 0;
  for (unsigned v = 0; v < 8; ++v, block += 8) {
    present |= kZigzagBits[v][nonzero_of_four(block) | nonzero_of_four(block + 4) << 4];
  }
  return present;
}

// Coefficients `first` to `last` of a block in zigzag order, without their lowest `low` bits (which rounds towards
// zero).
class ZigzagBand {
 public:
  ZigzagBand(const Coefficient* block, unsigned first, unsigned last, unsigned low) : block_(block), low_(low) {
    present_ = nonzero_in_zigzag(block) & (~std::uint64_t{0} >> (63 - last)) & (~std::uint64_t{0} << first);
    if (low == 0) return;
    for (std::uint64_t rest = present_; rest != 0; rest &= rest - 1) {
      if (value(static_cast<unsigned>(std::countr_zero(rest))) == 0) present_ ^= rest & -rest;
    }
  }

  // Bit k: the k-th is not zero.
  [[nodiscard]] std::uint64_t present() const { return present_; }
  [[nodiscard]] std::int32_t value(unsigned k) const { return shifted(block_[kNatural[k]]); }

 private:
  [[nodiscard]] std::int32_t shifted(std::int32_t value) const {
    const std::int32_t sign = value >> 31;
    return ((((value ^ sign) - sign) >> low_) ^ sign) - sign;
  }

  const Coefficient* block_;
  unsigned low_;
  std::uint64_t present_ = 0;
};

}  // namespace freqlearn
