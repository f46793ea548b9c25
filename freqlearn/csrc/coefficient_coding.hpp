// How a coefficient becomes a symbol and bits (T.81 F.1.2), and which ones the format has room for.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

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

// Coefficients `first` to `last` of a block in zigzag order, without their lowest `low` bits (which rounds towards
// zero), and which of them are not zero then.
struct ZigzagBand {
  std::array<std::int32_t, 64> values;
  std::uint64_t present = 0;

  ZigzagBand(const Coefficient* block, unsigned first, unsigned last, unsigned low) {
    for (unsigned k = first; k <= last; ++k) {
      const std::int32_t value = block[kNatural[k]], sign = value >> 31;
      values[k] = ((((value ^ sign) - sign) >> low) ^ sign) - sign;
      present |= std::uint64_t{values[k] != 0} << k;
    }
  }
};

}  // namespace freqlearn
