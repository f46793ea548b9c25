// Blocks of a sequential scan, decoded fast: no messages, only whether all went well.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bit_reader.hpp"
#include "cpu.hpp"
#include "fast_tables.hpp"
#include "planes.hpp"

namespace freqlearn {

// One of the blocks of every MCU.
struct BlockSlot {
  const FastDcTable* dc = nullptr;
  const FastAcTable* ac = nullptr;
  std::uint32_t* dc_predictor = nullptr;
  // Of MCUs [store_begin, store_end) of the row the block is stored, `stride` coefficients after the one before.
  std::size_t store_begin = 0, store_end = 0;
  Coefficient* out = nullptr;  // of MCU store_begin
  std::size_t stride = 0;
  unsigned stored = 63;  // the last coefficient of the zigzag sequence that is wanted
};

// Decodes MCUs [begin, end) of a row, each with `count` slots. `places`: where in a block each coefficient of the zigzag
// sequence goes, 0 from 64 on. Reads less than kReadAhead bytes behind `data_end`; false if something is wrong.
using DecodeMcus = bool (*)(BitState& bits, const std::uint8_t* data_end, const BlockSlot* slots, std::size_t count,
                            std::size_t begin, std::size_t end, const std::uint8_t* places);

}  // namespace freqlearn
