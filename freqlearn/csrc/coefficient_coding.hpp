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

// Coefficients `first` to `last` of a block in zigzag order, without their lowest `low` bits (which rounds towards
// zero).
class ZigzagBand {
 public:
  ZigzagBand(const Coefficient* block, unsigned first, unsigned last, unsigned low) : block_(block), low_(low) {
    // Most coefficients are zero: four at a time are passed over.
    for (unsigned place = 0; place < 64; place += 4) {
      std::uint64_t four;
      std::memcpy(&four, block + place, sizeof four);
      if (four == 0) continue;
      for (unsigned i = place; i < place + 4; ++i) present_ |= std::uint64_t{shifted(block[i]) != 0} << kZigzag[i];
    }
    present_ &= (~std::uint64_t{0} >> (63 - last)) & (~std::uint64_t{0} << first);
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
