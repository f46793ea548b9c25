// From the fast path to a BlockRowSink: one row of MCUs is kept at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "block_rows.hpp"
#include "fast_sequential.hpp"
#include "scan.hpp"
#include "decoding_memory.hpp"

namespace freqlearn {

class RowStore : public BlockStore {
 public:
  // `ranges` and `tables`: one a component of the frame.
  RowStore(const Scan& scan, const std::vector<BlockRange>& ranges, const std::vector<QuantTable>& tables,
           BlockRowSink& sink, DecodingMemory& memory);

  BlockSpan row(std::size_t index, std::size_t row) override;
  [[nodiscard]] unsigned last_wanted(std::size_t index) const override { return parts_[index].last_wanted; }
  [[nodiscard]] const std::uint8_t* places() const override { return transposed_places(); }
  [[nodiscard]] bool wants_all() const override { return wants_all_; }
  Progress finish_row(std::size_t mcu_row) override;

  [[nodiscard]] bool wants_nothing() const { return end_mcu_row_ == 0; }
  // MCU rows before this one have nothing that is wanted.
  [[nodiscard]] std::size_t first_mcu_row() const { return first_mcu_row_; }

 private:
  struct Part {
    std::size_t component = 0;  // of the frame
    BlockRange range;
    std::size_t v = 1;  // rows of an MCU
    unsigned last_wanted = 63;
    Coefficient* blocks = nullptr;  // v rows of the range's columns
    const QuantTable* quant_table = nullptr;
  };

  BlockRowSink& sink_;
  std::vector<Part> parts_;
  bool wants_all_ = true;
  std::size_t first_mcu_row_ = 0, end_mcu_row_ = 0;
};

}  // namespace freqlearn
