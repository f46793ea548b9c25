#include "scan.hpp"

#include <algorithm>
#include <string>

#include "error.hpp"

namespace freqlearn {
namespace {

const HuffmanSpec* find_table(const std::array<std::optional<HuffmanSpec>, 4>& specs, int index, bool is_dc,
                              std::size_t scan_offset) {
  const auto& spec = specs[static_cast<std::size_t>(index)];
  if (!spec) {
    fail(ErrorKind::malformed, scan_offset, "the scan uses ", is_dc ? "DC" : "AC", " Huffman table ", index,
         ", which no DHT marker before it defines");
  }
  check(*spec, is_dc);
  return &*spec;
}

// Restart intervals and the segments of the file that should hold them, side by side.
class IntervalReader {
 public:
  IntervalReader(const IntervalDecoder& decode_interval, const EntropyData& data, bool strict, Warnings& warnings)
      : decode_interval_(decode_interval), data_(data), strict_(strict), warnings_(warnings) {}

  // The segment that holds interval `index`, or nullptr if it is lost.
  const EntropySegment* find(std::size_t index);
  Progress decode(const EntropySegment& segment, std::size_t first, std::size_t count);
  void finish();
  [[nodiscard]] bool exhausted() const { return next_ == data_.segments().size(); }
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  void report(ErrorKind kind, std::size_t offset, const std::string& what) {
    if (strict_) fail(kind, offset, what);
    warnings_.add(what, " at byte ", offset);
    complete_ = false;
  }

  const IntervalDecoder& decode_interval_;
  const EntropyData& data_;
  bool strict_;
  Warnings& warnings_;
  std::size_t next_ = 0;  // segment
  bool complete_ = true;
};

const EntropySegment* IntervalReader::find(std::size_t index) {
  const auto& segments = data_.segments();
  const int expected = index == 0 ? -1 : static_cast<int>((index - 1) % 8);
  while (next_ < segments.size()) {
    const EntropySegment& segment = segments[next_];
    if (segment.restart == expected) {
      ++next_;
      return &segment;
    }
    report(ErrorKind::malformed, segment.file_offset - 2,
           join("expected restart marker RST", expected, ", got RST", segment.restart));
    // Numbers count modulo 8: up to four ahead means that intervals were lost, else this one comes too late.
    if ((segment.restart - expected + 8) % 8 <= 4) return nullptr;
    ++next_;
  }
  return nullptr;
}

Progress IntervalReader::decode(const EntropySegment& segment, std::size_t first, std::size_t count) {
  BitReader bits = data_.reader(segment);
  try {
    if (decode_interval_(first, count, bits) == Progress::enough) return Progress::enough;
  } catch (const EntropyFault& fault) {
    const std::size_t offset = data_.file_offset(segment, bits.bytes_taken());
    if (bits.overrun()) {
      report(ErrorKind::truncated, offset, "entropy-coded data end before the blocks they should hold");
    } else {
      report(ErrorKind::malformed, offset, join("entropy-coded data: ", fault.what));
    }
    return Progress::more;
  }
  if (const std::int64_t left = bits.bits_left() / 8; left > 0) {
    warnings_.add(left, " bytes after the blocks of a scan or restart interval, at byte ",
                  data_.file_offset(segment, bits.bytes_taken()));
  }
  return Progress::more;
}

void IntervalReader::finish() {
  const auto& segments = data_.segments();
  if (next_ < segments.size()) {
    warnings_.add(data_.cropped() ? "more than " : "", segments.size() - next_,
                  " restart markers after the blocks of a scan, at byte ", segments[next_].file_offset - 2);
  }
}

}  // namespace

Scan::Scan(const ScanHeader& scan_header, const Frame& frame, std::vector<Plane>& planes, const HuffmanSlots& slots)
    : header(scan_header) {
  const bool needs_dc = header.is_dc() && !header.is_refinement();
  const bool needs_ac = header.spectral_end > 0;
  for (const ScanHeader::Selection& selection : header.selections) {
    ScanComponent component;
    component.component = &frame.components[selection.component];
    component.plane = &planes[selection.component];
    if (needs_dc) component.dc_spec = find_table(slots.dc, selection.dc_table, true, header.offset);
    if (needs_ac) component.ac_spec = find_table(slots.ac, selection.ac_table, false, header.offset);
    components.push_back(component);
  }
  if (header.interleaved()) {
    mcu_cols = frame.mcu_cols;
    mcus = frame.mcu_cols * frame.mcu_rows;
  } else {
    // One component alone has no padding: its MCU is one block, whatever its sampling factors (T.81 A.2.2).
    mcu_cols = components.front().component->cols;
    mcus = components.front().component->blocks();
  }
}

void Scan::build_tables() {
  for (std::size_t i = 0; i < components.size(); ++i) {
    ScanComponent& component = components[i];
    auto& dc = dc_tables[static_cast<std::size_t>(header.selections[i].dc_table)];
    auto& ac = ac_tables[static_cast<std::size_t>(header.selections[i].ac_table)];
    if (component.dc_spec != nullptr && !dc) dc.emplace(*component.dc_spec);
    if (component.ac_spec != nullptr && !ac) ac.emplace(*component.ac_spec);
    component.dc = dc ? &*dc : nullptr;
    component.ac = ac ? &*ac : nullptr;
  }
}

bool decode_scan(const Scan& scan, const IntervalDecoder& decode_interval, const EntropyData& data,
                 std::size_t restart_interval, bool strict, Warnings& warnings) {
  IntervalReader reader(decode_interval, data, strict, warnings);
  const std::size_t length = restart_interval > 0 ? restart_interval : scan.mcus;
  std::size_t lost = 0;
  for (std::size_t first = 0, index = 0; first < scan.mcus; first += length, ++index) {
    const std::size_t count = std::min(length, scan.mcus - first);
    if (const EntropySegment* segment = reader.find(index)) {
      if (reader.decode(*segment, first, count) == Progress::enough) return reader.complete();
    } else if (!reader.exhausted()) {
      lost += count;
    } else if (strict) {
      fail(ErrorKind::truncated, data.end_offset(), "entropy-coded data end before the last ", scan.mcus - first,
           " of ", scan.mcus, " MCUs");
    } else {
      lost += scan.mcus - first;
      break;
    }
  }
  reader.finish();
  if (lost > 0) warnings.add(lost, " of ", scan.mcus, " MCUs are missing, before byte ", data.end_offset());
  return reader.complete() && lost == 0;
}

}  // namespace freqlearn
