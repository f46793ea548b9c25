#include "file_reader.hpp"

#include <string>
#include <utility>

#include "planes.hpp"

namespace freqlearn {

Info FileReader::run() {
  try {
    read_start();
    walk();
    if (!stopped_) progression_->check_complete(*frame_, offset_, has_end_marker_, warnings_);
  } catch (JpegError& error) {
    if (strict_ || !keeps_some_) {
      error.suggest(way_out(error.kind()));
      throw;
    }
    warnings_.add(error.message());
    complete_ = false;
  }
  return finish();
}

const char* FileReader::way_out(ErrorKind kind) const {
  switch (kind) {
    case ErrorKind::malformed:
    case ErrorKind::truncated: return strict_ && keeps_some_ ? "; strict=False keeps what can be read" : "";
    case ErrorKind::unsupported: return "; decoder=\"pixels\" reads what Pillow can read";
    case ErrorKind::too_large: return "; if the file is trusted, pass a larger max_pixels";
    case ErrorKind::not_jpeg: return "; decoder=\"auto\" or \"pixels\" reads other formats";
  }
  return "";
}

void FileReader::read_start() {
  if (data_.size() < 2 || data_[0] != 0xFF || data_[1] != marker::SOI) {
    const std::string got = data_.empty()       ? "no bytes"
                            : data_.size() == 1 ? "one byte"
                                                : join(int{data_[0]}, " ", int{data_[1]});
    fail(ErrorKind::not_jpeg, 0, "not a JPEG file: expected it to begin with the bytes 255 216, got ", got);
  }
  offset_ = 2;
}

void FileReader::walk() {
  for (;;) {
    const Segment segment = next_segment(data_, offset_, warnings_);
    offset_ = segment.next;
    if (!handle(segment)) return;
  }
}

bool FileReader::handle(const Segment& segment) {
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

void FileReader::handle_frame(const Segment& segment) {
  if (frame_) fail(ErrorKind::malformed, segment.offset, "expected one frame header, got a second one");
  frame_ = parse_frame(segment, max_pixels_);
}

void FileReader::handle_restart_interval(const Segment& segment) {
  if (segment.payload.size() != 2) {
    fail(ErrorKind::malformed, segment.offset, "restart interval: expected a length of 4, got ",
         segment.payload.size() + 2);
  }
  restart_interval_ = segment.u16(0);
}

// Only files whose frame header has no height need DNL, and those are refused; libjpeg ignores it altogether.
void FileReader::handle_line_count(const Segment& segment) {
  if (segment.payload.size() != 2 || !frame_ || segment.u16(0) == frame_->height) return;
  warnings_.add("DNL marker at byte ", segment.offset, ": expected the frame header's height of ", frame_->height,
                ", which is kept, got ", segment.u16(0));
}

void FileReader::handle_end(const Segment& segment) {
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

void FileReader::first_scan() {
  info_.restart_interval = restart_interval_;
  info_.quant_tables.resize(frame_->components.size());
  has_table_.assign(frame_->components.size(), false);
}

bool FileReader::handle_scan(const Segment& segment) {
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
    info_.quant_tables[i] = *table;
    has_table_[i] = true;
  }
  const std::optional<std::size_t> next = read_scan(header, segment.next);
  offset_ = next.value_or(segment.next);
  stopped_ = !next;
  return next.has_value();
}

// Memory grows with the data that are there, not with what the frame header claims.
void FileReader::check_claim(std::size_t data_offset) {
  if (keeps_some_) return;
  const std::size_t available = data_.size() - data_offset;
  const std::uint64_t needed = least_data(*frame_);
  keeps_some_ = may_be_cut(*frame_, available);
  if (needed <= available || (!strict_ && keeps_some_)) return;
  fail(ErrorKind::truncated, data_offset, frame_->width, " x ", frame_->height, " px: expected at least ", needed,
       " bytes of entropy-coded data, the file has ", available);
}

// Also after damage: what has not come by now is zero.
Info FileReader::finish() {
  for (std::size_t i = 0; i < frame_->components.size(); ++i) {
    if (has_table_[i]) continue;
    const auto& table = quant_slots_[static_cast<std::size_t>(frame_->components[i].quant_index)];
    info_.quant_tables[i] = table.value_or(QuantTable{});
  }
  info_.color_space = color_space(*frame_, application_, warnings_);
  info_.orientation = application_.orientation.value_or(1);
  info_.adobe_transform = application_.adobe_transform;
  info_.jfif = application_.jfif;
  info_.warnings = warnings_.texts();
  info_.frame = std::move(*frame_);
  return std::move(info_);
}

}  // namespace freqlearn
