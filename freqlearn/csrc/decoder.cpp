#include "decoder.hpp"

#include <algorithm>
#include <utility>

#include "application.hpp"
#include "entropy_data.hpp"
#include "error.hpp"
#include "huffman.hpp"
#include "progressive.hpp"
#include "scan.hpp"
#include "scan_header.hpp"
#include "sequential.hpp"
#include "warnings.hpp"

namespace freqlearn {
namespace {

// A segment takes 32 bytes in memory and may take 2 in a file, which must not decide how many are kept.
constexpr std::size_t kSpareSegments = 64;

enum class Depth { headers, structure, coefficients };

IntervalDecoder interval_decoder(const Frame& frame, const ScanHeader& scan) {
  if (!frame.progressive()) return decode_sequential;
  if (scan.is_dc()) return scan.is_refinement() ? decode_dc_refinement : decode_dc_first;
  return scan.is_refinement() ? decode_ac_refinement : decode_ac_first;
}

class Decoder {
 public:
  Decoder(Bytes data, Depth depth, bool strict, std::uint64_t max_pixels)
      : data_(data), depth_(depth), strict_(strict), max_pixels_(max_pixels) {}

  Decoded run();

 private:
  void read_start();
  void walk();
  // Returns false where reading ends.
  bool handle(const Segment& segment);
  void handle_frame(const Segment& segment);
  bool handle_scan(const Segment& segment);
  void handle_restart_interval(const Segment& segment);
  void handle_line_count(const Segment& segment);
  void handle_end(const Segment& segment);
  void first_scan();
  void check_claim(std::size_t data_offset);
  void read_scan(const ScanHeader& header, std::size_t data_offset);
  [[nodiscard]] const char* way_out(ErrorKind kind) const;
  void finish();

  Bytes data_;
  Depth depth_;
  bool strict_;
  std::uint64_t max_pixels_;

  std::size_t offset_ = 0;  // of the next segment
  Warnings warnings_;
  QuantSlots quant_slots_;
  HuffmanSlots huffman_slots_;
  std::size_t restart_interval_ = 0;
  ApplicationData application_;
  std::optional<Frame> frame_;
  std::optional<Progression> progression_;  // from the first scan on
  std::vector<bool> has_table_;             // a component
  bool keeps_some_ = false;  // damage from here on leaves something that strict == false can give
  bool has_end_marker_ = false;
  EntropyData entropy_data_;
  Decoded result_;
};

Decoded Decoder::run() {
  try {
    read_start();
    walk();
    if (depth_ != Depth::headers) progression_->check_complete(*frame_, offset_, has_end_marker_, warnings_);
  } catch (JpegError& error) {
    if (strict_ || !keeps_some_) {
      error.suggest(way_out(error.kind()));
      throw;
    }
    warnings_.add(error.message());
    result_.complete = false;
  }
  finish();
  return std::move(result_);
}

const char* Decoder::way_out(ErrorKind kind) const {
  switch (kind) {
    case ErrorKind::malformed:
    case ErrorKind::truncated: return strict_ && keeps_some_ ? "; strict=False keeps what can be read" : "";
    case ErrorKind::unsupported: return "; decoder=\"pixels\" reads what Pillow can read";
    case ErrorKind::too_large: return "; if the file is trusted, pass a larger max_pixels";
    case ErrorKind::not_jpeg: return "; decoder=\"auto\" or \"pixels\" reads other formats";
  }
  return "";
}

void Decoder::read_start() {
  if (data_.size() < 2 || data_[0] != 0xFF || data_[1] != marker::SOI) {
    const std::string got = data_.empty()       ? "no bytes"
                            : data_.size() == 1 ? "one byte"
                                                : join(int{data_[0]}, " ", int{data_[1]});
    fail(ErrorKind::not_jpeg, 0, "not a JPEG file: expected it to begin with the bytes 255 216, got ", got);
  }
  offset_ = 2;
}

void Decoder::walk() {
  for (;;) {
    const Segment segment = next_segment(data_, offset_, warnings_);
    offset_ = segment.next;
    if (!handle(segment)) return;
  }
}

bool Decoder::handle(const Segment& segment) {
  if (is_frame_marker(segment.code)) {
    handle_frame(segment);
    return true;
  }
  switch (segment.code) {
    case kEndOfData:
    case marker::EOI: handle_end(segment); return false;
    case marker::SOI: fail(ErrorKind::malformed, segment.offset, "expected one SOI marker, got a second one");
    case marker::SOS: return handle_scan(segment);
    case marker::DQT: parse_quant_tables(segment, quant_slots_, warnings_); return true;
    case marker::DHT: parse_huffman_tables(segment, huffman_slots_); return true;
    case marker::DRI: handle_restart_interval(segment); return true;
    case marker::DNL: handle_line_count(segment); return true;
    default: break;
  }
  // Those behind the first scan header come too late, as in libjpeg: read_info() and decode() agree.
  const bool is_application = segment.code >= marker::APP0 && segment.code <= marker::APP15;
  if (is_application && !progression_) parse_application(segment, application_);
  if (marker::is_restart(segment.code)) {
    warnings_.add("restart marker outside of a scan, at byte ", segment.offset);
  }
  return true;  // COM, DAC (arithmetic conditioning, unused here), TEM
}

void Decoder::handle_frame(const Segment& segment) {
  if (frame_) fail(ErrorKind::malformed, segment.offset, "expected one frame header, got a second one");
  frame_ = parse_frame(segment, max_pixels_);
}

void Decoder::handle_restart_interval(const Segment& segment) {
  if (segment.payload.size() != 2) {
    fail(ErrorKind::malformed, segment.offset, "restart interval: expected a length of 4, got ",
         segment.payload.size() + 2);
  }
  restart_interval_ = segment.u16(0);
}

// Only files whose frame header has no height need DNL, and those are refused; libjpeg ignores it altogether.
void Decoder::handle_line_count(const Segment& segment) {
  if (segment.payload.size() != 2 || !frame_ || segment.u16(0) == frame_->height) return;
  warnings_.add("DNL marker at byte ", segment.offset, ": expected the frame header's height of ", frame_->height,
                ", which is kept, got ", segment.u16(0));
}

void Decoder::handle_end(const Segment& segment) {
  has_end_marker_ = segment.code == marker::EOI;
  if (!progression_) {
    fail(ErrorKind::truncated, segment.offset, "expected a frame and a scan, got the end of the ",
         has_end_marker_ ? "image" : "file");
  }
  if (!has_end_marker_) {
    warnings_.add("missing EOI marker at byte ", segment.offset);
  } else if (segment.next < data_.size()) {
    const Bytes rest = data_.subspan(segment.next);
    const bool picture = rest.size() >= 3 && rest[0] == 0xFF && rest[1] == marker::SOI && rest[2] == 0xFF;
    warnings_.add(rest.size(), picture ? " bytes of a further picture" : " bytes", " after EOI, at byte ",
                  segment.next, ", are not read");
  }
}

void Decoder::first_scan() {
  result_.info.restart_interval = restart_interval_;
  result_.info.quant_tables.resize(frame_->components.size());
  result_.planes.resize(frame_->components.size());
  has_table_.assign(frame_->components.size(), false);
}

bool Decoder::handle_scan(const Segment& segment) {
  if (!frame_) fail(ErrorKind::malformed, segment.offset, "expected a frame header before the scan, got none");
  const ScanHeader header = parse_scan_header(segment, *frame_, warnings_);
  if (!progression_) {
    first_scan();
    progression_.emplace(*frame_);
  }
  progression_->add(header, warnings_);
  for (const ScanHeader::Selection& selection : header.selections) {
    const std::size_t i = selection.component;
    if (has_table_[i]) continue;
    const int slot = frame_->components[i].quant_index;
    const auto& table = quant_slots_[static_cast<std::size_t>(slot)];
    if (!table) {
      fail(ErrorKind::malformed, segment.offset, "component ", i, " uses quantisation table ", slot,
           ", which no DQT marker before its scan defines");
    }
    result_.info.quant_tables[i] = *table;
    has_table_[i] = true;
  }
  if (depth_ == Depth::headers) return false;
  read_scan(header, segment.next);
  return true;
}

// Before anything is allocated: memory grows with the data that are there, not with what the frame header claims.
void Decoder::check_claim(std::size_t data_offset) {
  const std::size_t available = data_.size() - data_offset;
  const std::uint64_t needed = least_data(*frame_);
  keeps_some_ = may_be_cut(*frame_, available);
  if (needed <= available || (!strict_ && keeps_some_)) return;
  fail(ErrorKind::truncated, data_offset, frame_->width, " x ", frame_->height, " px: expected at least ", needed,
       " bytes of entropy-coded data, the file has ", available);
}

void Decoder::read_scan(const ScanHeader& header, std::size_t data_offset) {
  Scan scan(header, *frame_, result_.planes, huffman_slots_);
  if (!keeps_some_) check_claim(data_offset);
  if (depth_ == Depth::structure) {
    offset_ = end_of_entropy_data(data_, data_offset);
    return;
  }
  for (const ScanComponent& component : scan.components) {
    Plane& plane = *component.plane;
    if (!plane.allocated()) plane = Plane(component.component->rows, component.component->cols);
    if (!header.is_dc()) plane.allocate_masks();
  }
  // Segments beyond the scan's intervals are of use only where damage repeated some.
  const std::size_t intervals = scan.intervals(restart_interval_);
  entropy_data_.read(data_, data_offset, 2 * intervals + kSpareSegments);
  offset_ = entropy_data_.end_offset();
  result_.complete &= decode_scan(scan, interval_decoder(*frame_, header), entropy_data_, restart_interval_, strict_,
                                  warnings_);
}

// Also after damage: what has not come by now is zero.
void Decoder::finish() {
  Info& info = result_.info;
  for (std::size_t i = 0; i < frame_->components.size(); ++i) {
    const Component& component = frame_->components[i];
    if (!has_table_[i]) {
      const auto& table = quant_slots_[static_cast<std::size_t>(component.quant_index)];
      info.quant_tables[i] = table.value_or(QuantTable{});
    }
    if (depth_ != Depth::coefficients) continue;
    if (!result_.planes[i].allocated()) result_.planes[i] = Plane(component.rows, component.cols);
    result_.planes[i].drop_masks();
  }
  info.color_space = color_space(*frame_, application_, warnings_);
  info.orientation = application_.orientation.value_or(1);
  info.adobe_transform = application_.adobe_transform;
  info.jfif = application_.jfif;
  info.warnings = warnings_.texts();
  info.frame = std::move(*frame_);
}

}  // namespace

Info read_info(Bytes data, std::uint64_t max_pixels) {
  return Decoder(data, Depth::headers, true, max_pixels).run().info;
}

Info check(Bytes data, std::uint64_t max_pixels) {
  return Decoder(data, Depth::structure, true, max_pixels).run().info;
}

Decoded decode(Bytes data, bool strict, std::uint64_t max_pixels) {
  return Decoder(data, Depth::coefficients, strict, max_pixels).run();
}

}  // namespace freqlearn
