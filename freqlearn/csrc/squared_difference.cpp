#include "squared_difference.hpp"

#include <algorithm>

namespace freqlearn {

std::array<std::uint64_t, 64> squared_difference(const Coefficient* ours, const Coefficient* theirs,
                                                 std::size_t blocks) {
  std::array<std::uint64_t, 64> sums{};
  for (std::size_t block = 0; block < blocks; ++block, ours += 64, theirs += 64) {
    if (std::equal(ours, ours + 64, theirs)) continue;
    for (std::size_t i = 0; i < 64; ++i) {
      // At most 65535, whose square 32 bits hold.
      const auto difference = static_cast<std::uint32_t>(ours[i] - theirs[i]);
      sums[i] += difference * difference;
    }
  }
  return sums;
}

}  // namespace freqlearn
