#include "block_rows.hpp"

#include <optional>
#include <stdexcept>
#include <string>

#include "entropy_data.hpp"
#include "error.hpp"
#include "file_reader.hpp"
#include "row_store.hpp"
#include "scan.hpp"
#include "decoding_memory.hpp"

namespace freqlearn {
namespace {

void check_ranges(const std::vector<BlockRange>& ranges, const Frame& frame) {
  bool fits = ranges.size() == frame.components.size();
  for (std::size_t i = 0; fits && i < ranges.size(); ++i) {
    const Component& component = frame.components[i];
    fits = ranges[i].empty() || (ranges[i].row_end <= component.rows && ranges[i].col_end <= component.cols);
  }
  if (!fits) throw std::invalid_argument("expected one range of blocks a component, within its plane, got another");
}

// The ranges were checked against the frame as it was read first, and another thread may be writing to the bytes.
void check_unchanged(const Frame& frame, const Frame& first) {
  if (frame == first) return;
  fail(ErrorKind::malformed, 0, "expected bytes that stay as they are until they are decoded, got another frame");
}

void take_planes(const Decoded& decoded, const std::vector<BlockRange>& ranges, BlockRowSink& sink) {
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].empty()) continue;
    for (std::size_t row = ranges[i].row_begin; row < ranges[i].row_end; ++row) {
      sink.take({.component = i,
                 .row = row,
                 .blocks = decoded.planes[i].block(row, ranges[i].col_begin),
                 .order = BlockOrder::natural,
                 .quant_table = &decoded.info.quant_tables[i]});
    }
  }
}

// Something is wrong in what was decoded; what it is, decode() says.
struct RowFault {};

// A sequential file, scan by scan.
class RowReader : public FileReader {
 public:
  RowReader(Bytes data, std::uint64_t max_pixels, const Frame& first, const std::vector<BlockRange>& ranges,
            BlockRowSink& sink, InstructionSet set)
      : FileReader(data, true, max_pixels), first_(first), ranges_(ranges), sink_(sink), set_(set) {}

  // Returns whether the file has its end.
  bool read() {
    run();
    return has_end_marker();
  }

 private:
  std::optional<std::size_t> read_scan(const ScanHeader& header, std::size_t data_offset) override;

  const Frame& first_;
  const std::vector<BlockRange>& ranges_;
  BlockRowSink& sink_;
  InstructionSet set_;
  DecodingMemoryLease memory_;
};

std::optional<std::size_t> RowReader::read_scan(const ScanHeader& header, std::size_t data_offset) {
  check_unchanged(frame(), first_);
  std::vector<Plane> none(frame().components.size());
  const Scan scan(header, frame(), none, huffman_slots());
  check_claim(data_offset);
  RowStore store(scan, ranges_, quant_tables(), sink_, *memory_);
  if (store.wants_nothing()) return end_of_entropy_data(data(), data_offset);

  EntropyData& entropy_data = memory_->entropy_data;
  entropy_data.read(data(), data_offset, scan.intervals(restart_interval()));
  FastSequential fast(scan, store, memory_->tables, set_);
  const std::size_t first_wanted = store.first_mcu_row() * scan.mcu_cols;
  const IntervalDecoder decode_interval = [&](std::size_t first, std::size_t count, BitReader& bits) {
    if (first + count <= first_wanted) return Progress::more;  // the DC begins anew in each interval
    switch (fast.decode(first, count, bits)) {
      case FastSequential::Outcome::done: return Progress::more;
      case FastSequential::Outcome::enough: return Progress::enough;
      case FastSequential::Outcome::fault: break;
    }
    throw RowFault{};
  };
  decode_scan(scan, decode_interval, entropy_data, restart_interval(), true, warnings());
  return entropy_data.end_offset();
}

}  // namespace

void decode_rows(Bytes data, std::uint64_t max_pixels, BlockRowSink& sink, InstructionSet set) {
  const Info info = read_info(data, max_pixels);
  const std::vector<BlockRange> ranges = sink.wanted(info);
  check_ranges(ranges, info.frame);
  if (info.frame.progressive()) {
    const Decoded decoded = decode(data, true, max_pixels, {.reference = false, .set = set});
    check_unchanged(decoded.info.frame, info.frame);
    take_planes(decoded, ranges, sink);
    return;
  }
  bool is_fault = false;
  try {
    if (RowReader(data, max_pixels, info.frame, ranges, sink, set).read()) return;
  } catch (const RowFault&) {
    is_fault = true;
  }
  // Without an end marker only decoding can tell whether the file is whole; with a fault it says what is wrong.
  decode(data, true, max_pixels, {.reference = is_fault, .set = set});
  if (is_fault) fail(ErrorKind::malformed, 0, "the fast decoder refuses what the readable one accepts");
}

}  // namespace freqlearn
