// Rows of blocks on their way from the decoder to whoever wants them, while they are still in the cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu.hpp"
#include "decoder.hpp"
#include "planes.hpp"
#include "quantisation.hpp"

namespace freqlearn {

// Blocks [row_begin, row_end) x [col_begin, col_end) of one component, and which of their coefficients.
struct BlockRange {
  std::size_t row_begin = 0, row_end = 0, col_begin = 0, col_end = 0;
  // Bit 8 * v + u: the coefficient is wanted; the others may come as they are or as zero.
  std::uint64_t coefficients = ~std::uint64_t{0};

  [[nodiscard]] bool empty() const { return row_begin >= row_end || col_begin >= col_end; }
  [[nodiscard]] std::size_t cols() const { return col_end - col_begin; }
};

enum class BlockOrder {
  natural,     // 8 * v + u, as in planes
  transposed,  // 8 * u + v: eight coefficients of one horizontal frequency side by side
};

struct BlockRow {
  std::size_t component = 0, row = 0;
  const Coefficient* blocks = nullptr;  // range.cols() blocks of 64, quantised, in `order`
  BlockOrder order = BlockOrder::natural;
  const QuantTable* quant_table = nullptr;  // natural order
};

class BlockRowSink {
 public:
  virtual ~BlockRowSink() = default;
  // Once, when the headers are known: what is wanted, one range a component, within the component's blocks. A component
  // whose range is empty is not wanted at all. Tables of components whose scan comes later are still zero in `info`.
  virtual std::vector<BlockRange> wanted(const Info& info) = 0;
  // Every wanted row once, in increasing order within a component; components alternate as they come. The memory is
  // valid during the call only. May throw.
  virtual void take(const BlockRow& row) = 0;
};

// Decodes what `sink` wants of a file, and reports damage as decode(strict == true) does wherever it decodes; in what no
// range needs it may go unseen, but never that the file was cut short.
void decode_rows(Bytes data, std::uint64_t max_pixels, BlockRowSink& sink,
                 InstructionSet set = best_instruction_set());

}  // namespace freqlearn
