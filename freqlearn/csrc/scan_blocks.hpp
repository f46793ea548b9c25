// A scan as it is written: its blocks in order (T.81 A.2), and what is wrong with one of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "coefficient_coding.hpp"
#include "error.hpp"
#include "picture.hpp"
#include "scan_header.hpp"

namespace freqlearn {

struct ScanBlock {
  std::size_t position = 0;                // of the component in the scan
  const Coefficient* coefficients = nullptr;  // null: pads an MCU at the picture's right or lower edge
  std::size_t row = 0, col = 0;
};

// Calls visit(ScanBlock) for every block and restart(index), counted from 0, between restart intervals.
template <class Visit, class Restart>
void walk_scan(const Picture& picture, const ScanHeader& scan, std::size_t restart_interval, Visit&& visit,
               Restart&& restart) {
  std::size_t mcu = 0;
  const auto begin_mcu = [&] {
    if (restart_interval > 0 && mcu > 0 && mcu % restart_interval == 0) restart(mcu / restart_interval - 1);
    ++mcu;
  };
  const auto block_at = [&](std::size_t position, std::size_t row, std::size_t col) {
    const SourcePlane& plane = picture.planes[scan.selections[position].component];
    const bool inside = row < plane.rows && col < plane.cols;
    return ScanBlock{position, inside ? plane.blocks + 64 * (row * plane.cols + col) : nullptr, row, col};
  };
  if (!scan.interleaved()) {
    const SourcePlane& plane = picture.planes[scan.selections.front().component];
    for (std::size_t row = 0; row < plane.rows; ++row) {
      for (std::size_t col = 0; col < plane.cols; ++col) {
        begin_mcu();
        visit(block_at(0, row, col));
      }
    }
    return;
  }
  for (std::size_t mcu_row = 0; mcu_row < picture.frame.mcu_rows; ++mcu_row) {
    for (std::size_t mcu_col = 0; mcu_col < picture.frame.mcu_cols; ++mcu_col) {
      begin_mcu();
      for (std::size_t i = 0; i < scan.selections.size(); ++i) {
        const Component& component = picture.frame.components[scan.selections[i].component];
        const auto h = static_cast<std::size_t>(component.h), v = static_cast<std::size_t>(component.v);
        for (std::size_t row = mcu_row * v; row < (mcu_row + 1) * v; ++row) {
          for (std::size_t col = mcu_col * h; col < (mcu_col + 1) * h; ++col) visit(block_at(i, row, col));
        }
      }
    }
  }
}

[[noreturn]] inline void refuse_dc(const ScanHeader& scan, const ScanBlock& block, std::int32_t difference) {
  throw std::invalid_argument(join("plane ", scan.selections[block.position].component, ", block (", block.row, ", ",
                                   block.col, "): expected a DC coefficient within 2047 of the one before it, which "
                                   "is what JPEG can code, got a difference of ", difference));
}

[[noreturn]] inline void refuse_ac(const ScanHeader& scan, const ScanBlock& block, unsigned k) {
  const unsigned place = kNatural[k];
  throw std::invalid_argument(join("plane ", scan.selections[block.position].component, ", block (", block.row, ", ",
                                   block.col, "): expected AC coefficients of -1023 to 1023, which is what JPEG can "
                                   "code, got ", block.coefficients[place], " at (v, u) = (", place / 8, ", ",
                                   place % 8, ")"));
}

}  // namespace freqlearn
