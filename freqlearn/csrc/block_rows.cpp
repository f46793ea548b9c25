#include "block_rows.hpp"

namespace freqlearn {

void decode_rows(Bytes data, std::uint64_t max_pixels, BlockRowSink& sink, InstructionSet) {
  const Decoded decoded = decode(data, true, max_pixels);
  const std::vector<BlockRange> wanted = sink.wanted(decoded.info);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].empty()) continue;
    for (std::size_t row = wanted[i].row_begin; row < wanted[i].row_end; ++row) {
      sink.take({.component = i,
                 .row = row,
                 .blocks = decoded.planes[i].block(row, wanted[i].col_begin),
                 .order = BlockOrder::natural,
                 .quant_table = &decoded.info.quant_tables[i]});
    }
  }
}

}  // namespace freqlearn
