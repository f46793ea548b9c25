// How far two planes are apart.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "planes.hpp"

namespace freqlearn {

struct SquaredDifference {
  // [8 * v + u]: sums over the blocks of the coefficients' squared differences, exact for fewer than 2^32 blocks.
  std::array<std::uint64_t, 64> sums{};
  std::size_t blocks = 0;
};

// Of all blocks, or only of those of which `ours` has something left.
SquaredDifference squared_difference(const Coefficient* ours, const Coefficient* theirs, std::size_t blocks,
                                     bool only_left);

}  // namespace freqlearn
