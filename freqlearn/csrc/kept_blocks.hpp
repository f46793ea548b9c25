// A plane with only some of its coefficients left.
#pragma once

#include <array>
#include <cstdint>

#include "block_rows.hpp"
#include "planes.hpp"

namespace freqlearn {

// A copy of (rows, cols, 8, 8) quantised coefficients, natural order, in which all is zero but those that `range`
// names, and of these too what is nearer to zero than `smallest` says, at 8 * v + u. The range lies within the plane, or
// is empty.
Plane kept_blocks(const Coefficient* blocks, std::size_t rows, std::size_t cols, const BlockRange& range,
                  const std::array<std::uint16_t, 64>& smallest);

}  // namespace freqlearn
