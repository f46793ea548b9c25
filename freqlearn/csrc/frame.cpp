#include "frame.hpp"

#include <algorithm>

#include "error.hpp"

namespace freqlearn {
namespace {

// What the process of a frame marker is called, for those that are refused.
const char* unsupported_process(int code) {
  switch (code) {
    case 0xC3: return "lossless coding";
    case 0xC5:
    case 0xC6:
    case 0xC7:
    case marker::DHP:
    case marker::EXP: return "hierarchical coding";
    case 0xC9:
    case 0xCA: return "arithmetic coding";
    case 0xCB: return "lossless arithmetic coding";
    case 0xCD:
    case 0xCE:
    case 0xCF: return "hierarchical arithmetic coding";
    case 0xF7: return "JPEG-LS";
    default: return "a JPEG extension";
  }
}

Component parse_component(const Segment& segment, std::size_t at) {
  Component component;
  component.id = segment.u8(at);
  component.h = segment.u8(at + 1) >> 4;
  component.v = segment.u8(at + 1) & 15;
  component.quant_index = segment.u8(at + 2);
  const std::size_t offset = segment.body + at;
  if (component.h < 1 || component.h > 4 || component.v < 1 || component.v > 4) {
    fail(ErrorKind::malformed, offset + 1, "sampling factors: expected 1 to 4, got ", component.h, "x", component.v);
  }
  if (component.quant_index > 3) {
    fail(ErrorKind::malformed, offset + 2, "quantisation table: expected 0 to 3, got ", component.quant_index);
  }
  return component;
}

void check_size(const Segment& segment, const Frame& frame, std::uint64_t max_pixels) {
  const std::size_t offset = segment.body + 1;
  if (frame.height == 0) {
    fail(ErrorKind::unsupported, offset, "expected the height in the frame header, got 0 (it comes in a DNL marker)");
  }
  if (frame.width == 0) fail(ErrorKind::malformed, offset + 2, "width: expected at least 1, got 0");
  const std::uint64_t pixels = static_cast<std::uint64_t>(frame.width) * frame.height;
  if (pixels > max_pixels) {
    fail(ErrorKind::too_large, offset, "expected at most ", max_pixels, " pixels, the file claims ", frame.width, " x ",
         frame.height, " = ", pixels);
  }
}

}  // namespace

std::size_t Frame::blocks() const {
  std::size_t total = 0;
  for (const Component& component : components) total += component.blocks();
  return total;
}

bool is_frame_marker(int code) {
  if (code == marker::DHP || code == marker::EXP) return true;
  if (code >= marker::JPG0 && code <= marker::JPG13) return true;
  return code >= 0xC0 && code <= 0xCF && code != marker::DHT && code != marker::DAC;
}

void set_block_counts(Frame& frame) {
  for (const Component& component : frame.components) {
    frame.h_max = std::max(frame.h_max, component.h);
    frame.v_max = std::max(frame.v_max, component.v);
  }
  frame.mcu_cols = blocks_along(frame.width, 1, frame.h_max);
  frame.mcu_rows = blocks_along(frame.height, 1, frame.v_max);
  for (Component& component : frame.components) {
    component.cols = blocks_along(frame.width, component.h, frame.h_max);
    component.rows = blocks_along(frame.height, component.v, frame.v_max);
  }
}

Frame parse_frame(const Segment& segment, std::uint64_t max_pixels) {
  Frame frame;
  switch (segment.code) {
    case marker::SOF0: frame.process = Process::baseline; break;
    case marker::SOF1: frame.process = Process::extended; break;
    case marker::SOF2: frame.process = Process::progressive; break;
    default:
      fail(ErrorKind::unsupported, segment.offset, "expected baseline, extended or progressive Huffman coding, got ",
           unsupported_process(segment.code), " (marker ", marker_name(segment.code), ")");
  }
  const std::size_t size = segment.payload.size();
  if (size < 6) {
    fail(ErrorKind::malformed, segment.offset, "frame header: expected a length of at least 8, got ", size + 2);
  }
  if (const int precision = segment.u8(0); precision != 8) {
    fail(precision == 12 ? ErrorKind::unsupported : ErrorKind::malformed, segment.body,
         "expected samples of 8 bits, got ", precision);
  }
  frame.height = segment.u16(1);
  frame.width = segment.u16(3);
  const std::size_t count = segment.u8(5);
  if (count == 0) fail(ErrorKind::malformed, segment.body + 5, "components: expected 1 to 4, got 0");
  if (size != 6 + 3 * count) {
    fail(ErrorKind::malformed, segment.offset, "frame header of ", count, " components: expected a length of ",
         8 + 3 * count, ", got ", size + 2);
  }
  if (count > 4) fail(ErrorKind::unsupported, segment.body + 5, "components: expected 1 to 4, got ", count);
  check_size(segment, frame, max_pixels);

  for (std::size_t i = 0; i < count; ++i) {
    frame.components.push_back(parse_component(segment, 6 + 3 * i));
  }
  set_block_counts(frame);
  return frame;
}

}  // namespace freqlearn
