#include "segments.hpp"

#include <cstring>

#include "error.hpp"

namespace freqlearn {
namespace {

// Offset of the 0xFF that is directly before a marker's second byte, or data.size().
std::size_t find_marker(Bytes data, std::size_t offset) {
  while (offset < data.size()) {
    const void* found = std::memchr(data.data() + offset, 0xFF, data.size() - offset);
    if (found == nullptr) return data.size();
    offset = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - data.data());
    while (offset + 1 < data.size() && data[offset + 1] == 0xFF) ++offset;  // fill bytes
    if (offset + 1 >= data.size()) return data.size();
    if (data[offset + 1] != 0) return offset;
    offset += 2;
  }
  return data.size();
}

// Fill bytes before a marker are legal; anything else is stray.
std::size_t count_stray_bytes(Bytes data, std::size_t begin, std::size_t end) {
  while (end > begin && data[end - 1] == 0xFF) --end;
  return end - begin;
}

}  // namespace

Segment next_segment(Bytes data, std::size_t offset, Warnings& warnings) {
  Segment segment;
  segment.offset = find_marker(data, offset);
  if (const std::size_t stray = count_stray_bytes(data, offset, segment.offset); stray > 0) {
    warnings.add(stray, " stray bytes before a marker, at byte ", offset);
  }
  if (segment.offset == data.size()) {
    segment.next = data.size();
    return segment;
  }
  segment.code = data[segment.offset + 1];
  segment.body = segment.next = segment.offset + 2;
  if (marker::has_no_length(segment.code)) return segment;

  const std::string name = marker_name(segment.code);
  if (marker::is_reserved(segment.code)) {
    fail(ErrorKind::malformed, segment.offset, "expected a JPEG marker, got the reserved code ", name);
  }
  if (data.size() - segment.body < 2) {
    fail(ErrorKind::truncated, segment.offset, "the file ends before the length of marker ", name);
  }
  const std::size_t length = static_cast<std::size_t>(data[segment.body] << 8 | data[segment.body + 1]);
  if (length < 2) {
    fail(ErrorKind::malformed, segment.body, "length of marker ", name, ": expected at least 2, got ", length);
  }
  if (length > data.size() - segment.body) {
    fail(ErrorKind::truncated, segment.offset, "marker ", name, " says ", length, " bytes, the file has ",
         data.size() - segment.body);
  }
  segment.next = segment.body + length;
  segment.body += 2;
  segment.payload = data.subspan(segment.body, length - 2);
  return segment;
}

}  // namespace freqlearn
