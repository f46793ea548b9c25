// A plane with only some of its coefficients left.
#pragma once

#include "block_rows.hpp"
#include "planes.hpp"

namespace freqlearn {

// A copy of (rows, cols, 8, 8) quantised coefficients, natural order, in which all is zero but those that `range`
// names. The range lies within the plane, or is empty.
Plane kept_blocks(const Coefficient* blocks, std::size_t rows, std::size_t cols, const BlockRange& range);

}  // namespace freqlearn
