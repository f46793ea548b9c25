// Quantisation tables (DQT, T.81 B.2.4.1) and the zigzag order.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "segments.hpp"
#include "warnings.hpp"

namespace freqlearn {

// kNatural[k] is the place 8 * v + u of the k-th coefficient of the zigzag sequence (T.81 figure A.6).
inline constexpr std::array<std::uint8_t, 64> kNatural = {
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

using QuantTable = std::array<std::uint16_t, 64>;  // natural order: 8 * v + u
using QuantSlots = std::array<std::optional<QuantTable>, 4>;

// One DQT segment may hold several tables, each of 8 or 16 bits (16 in a baseline file is tolerated, as libjpeg does).
void parse_quant_tables(const Segment& segment, QuantSlots& slots, Warnings& warnings);

}  // namespace freqlearn
