#include "squared_difference.hpp"

#include <algorithm>

namespace freqlearn {

SquaredDifference squared_difference(const Coefficient* ours, const Coefficient* theirs, std::size_t blocks,
                                     bool only_left) {
  SquaredDifference result;
  for (std::size_t block = 0; block < blocks; ++block, ours += 64, theirs += 64) {
    if (only_left && std::all_of(ours, ours + 64, [](Coefficient value) { return value == 0; })) continue;
    ++result.blocks;
    if (std::equal(ours, ours + 64, theirs)) continue;
    for (std::size_t i = 0; i < 64; ++i) {
      // At most 65535, whose square 32 bits hold.
      const auto difference = static_cast<std::uint32_t>(ours[i] - theirs[i]);
      result.sums[i] += difference * difference;
    }
  }
  return result;
}

}  // namespace freqlearn
