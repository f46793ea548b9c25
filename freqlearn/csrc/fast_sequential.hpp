// A sequential scan by the fast path: row of MCUs by row of MCUs, to wherever its blocks are wanted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cpu.hpp"
#include "fast_blocks.hpp"
#include "fast_tables.hpp"
#include "scan.hpp"

namespace freqlearn {

// Blocks [col_begin, col_end) of one row of a component, and where they go.
struct BlockSpan {
  std::size_t col_begin = 0, col_end = 0;
  Coefficient* out = nullptr;
};

class BlockStore {
 public:
  virtual ~BlockStore() = default;
  // Where row `row` of the scan's component `index` goes; an empty span: nowhere. Asked again for each restart interval
  // that a row takes.
  virtual BlockSpan row(std::size_t index, std::size_t row) = 0;
  // The last coefficient of the zigzag sequence that is wanted of a component.
  [[nodiscard]] virtual unsigned last_wanted(std::size_t index) const = 0;
  [[nodiscard]] virtual const std::uint8_t* places() const = 0;
  // Whether every block is wanted, with all of its coefficients.
  [[nodiscard]] virtual bool wants_all() const = 0;
  // The last MCU of this row has been decoded. Says whether the rows below are of any use.
  virtual Progress finish_row(std::size_t mcu_row) = 0;
};

// Where each coefficient of the zigzag sequence goes within a block: kPlaces entries, 0 behind the sequence's end.
const std::uint8_t* natural_places();
const std::uint8_t* transposed_places();

// The tables are large, and kept for a thread's next file.
struct FastTables {
  std::array<FastDcTable, 4> dc;
  std::array<FastAcTable, 4> ac;
};

class FastSequential {
 public:
  enum class Outcome { done, enough, fault };

  FastSequential(const Scan& scan, BlockStore& store, FastTables& tables, InstructionSet set);

  // Decodes `count` MCUs from `first` on: one restart interval, or until the store has enough. What a fault is, is for
  // decode_sequential to find.
  Outcome decode(std::size_t first, std::size_t count, BitReader& bits);
  // Blocks of MCUs from here on have not been touched.
  [[nodiscard]] std::size_t reached() const { return reached_; }

 private:
  struct Part {
    std::size_t index = 0;      // component of the scan
    std::size_t h = 1, v = 1;   // blocks of an MCU
    std::size_t rows = 0;
    std::uint32_t dc_predictor = 0;
    const FastDcTable* dc = nullptr;
    const FastAcTable* ac = nullptr;
    unsigned last_wanted = 63;
  };

  void place_row(std::size_t mcu_row);

  BlockStore& store_;
  DecodeMcus decode_mcus_;
  std::size_t mcu_cols_;
  std::size_t reached_ = 0;
  std::vector<Part> parts_;
  std::vector<BlockSlot> slots_;
};

}  // namespace freqlearn
