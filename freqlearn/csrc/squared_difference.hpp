// How far two planes are apart.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "planes.hpp"

namespace freqlearn {

// [8 * v + u]: the sum over all blocks of the coefficients' squared differences, exact for fewer than 2^32 blocks.
std::array<std::uint64_t, 64> squared_difference(const Coefficient* ours, const Coefficient* theirs,
                                                 std::size_t blocks);

}  // namespace freqlearn
