#include "row_store.hpp"

#include <algorithm>
#include <limits>

#include "quantisation.hpp"

namespace freqlearn {
namespace {

// Of the zigzag sequence; 0 if only the DC, or nothing, is wanted. Looking only for the end of a block saves no more, from
// about coefficient 20 on, than it costs to change over (measured: a quarter of the time is saved at 1, 4 % at 12).
unsigned last_coefficient(std::uint64_t wanted) {
  constexpr unsigned kLastWorthIt = 20;
  unsigned last = 0;
  for (unsigned k = 0; k < 64; ++k) {
    if ((wanted >> kNatural[k] & 1) != 0) last = k;
  }
  return last <= kLastWorthIt ? last : 63;
}

}  // namespace

RowStore::RowStore(const Scan& scan, const std::vector<BlockRange>& ranges, const std::vector<QuantTable>& tables,
                   BlockRowSink& sink, DecodingMemory& memory)
    : sink_(sink), first_mcu_row_(std::numeric_limits<std::size_t>::max()) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < scan.components.size(); ++i) {
    const Component& shape = *scan.components[i].component;
    Part part;
    part.component = scan.header.selections[i].component;
    part.range = ranges[part.component];
    part.quant_table = &tables[part.component];
    if (scan.header.interleaved()) part.v = static_cast<std::size_t>(shape.v);
    part.last_wanted = last_coefficient(part.range.coefficients);
    if (!part.range.empty()) {
      size += part.v * part.range.cols() * 64;
      first_mcu_row_ = std::min(first_mcu_row_, part.range.row_begin / part.v);
      end_mcu_row_ = std::max(end_mcu_row_, (part.range.row_end - 1) / part.v + 1);
    }
    wants_all_ &= part.last_wanted == 63 && part.range.row_begin == 0 && part.range.row_end == shape.rows &&
                  part.range.col_begin == 0 && part.range.col_end == shape.cols;
    parts_.push_back(part);
  }
  Coefficient* blocks = memory.row_buffer(size);
  for (Part& part : parts_) {
    part.blocks = blocks;
    if (!part.range.empty()) blocks += part.v * part.range.cols() * 64;
  }
}

BlockSpan RowStore::row(std::size_t index, std::size_t row) {
  const Part& part = parts_[index];
  if (part.range.empty() || row < part.range.row_begin || row >= part.range.row_end) return {};
  return {part.range.col_begin, part.range.col_end, part.blocks + row % part.v * part.range.cols() * 64};
}

Progress RowStore::finish_row(std::size_t mcu_row) {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    for (std::size_t y = 0; y < part.v; ++y) {
      const BlockSpan span = row(i, mcu_row * part.v + y);
      if (span.col_begin == span.col_end) continue;
      sink_.take({.component = part.component,
                  .row = mcu_row * part.v + y,
                  .blocks = span.out,
                  .order = BlockOrder::transposed,
                  .quant_table = part.quant_table});
    }
  }
  return mcu_row + 1 >= end_mcu_row_ ? Progress::enough : Progress::more;
}

}  // namespace freqlearn
