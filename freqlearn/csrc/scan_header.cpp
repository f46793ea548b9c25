#include "scan_header.hpp"

#include <algorithm>
#include <optional>

#include "error.hpp"

namespace freqlearn {
namespace {

// Some encoders give two components the same id; as in libjpeg, each selector takes the first one that is still free.
std::optional<std::size_t> find_component(const Frame& frame, const ScanHeader& scan, int id) {
  for (std::size_t i = 0; i < frame.components.size(); ++i) {
    const bool taken = std::ranges::any_of(scan.selections, [i](const auto& s) { return s.component == i; });
    if (frame.components[i].id == id && !taken) return i;
  }
  return std::nullopt;
}

void check_spectral(const ScanHeader& scan, const Frame& frame, std::size_t offset, Warnings& warnings) {
  const unsigned begin = scan.spectral_begin, end = scan.spectral_end;
  const unsigned high = scan.approx_high, low = scan.approx_low;
  const std::string got = join("got coefficients ", begin, " to ", end, ", bits ", high, " to ", low);
  if (!frame.progressive()) {
    // libjpeg: "there are some baseline files out there with all zeroes in these bytes".
    if (begin != 0 || end != 63 || high != 0 || low != 0) {
      warnings.add("sequential scan: expected coefficients 0 to 63, bits 0 to 0, ", got, ", at byte ", offset);
    }
    return;
  }
  const bool spectral_ok = begin == 0 ? end == 0 : (begin <= end && end <= 63 && scan.selections.size() == 1);
  const bool bits_ok = low <= 13 && (high == 0 || low + 1 == high);
  if (!spectral_ok || !bits_ok) {
    fail(ErrorKind::malformed, offset,
         "progressive scan: expected the DC alone or a band of one component's AC, and one bit at a time; ", got,
         " of ", scan.selections.size(), " components");
  }
}

}  // namespace

ScanHeader parse_scan_header(const Segment& segment, const Frame& frame, Warnings& warnings) {
  ScanHeader scan;
  scan.offset = segment.offset;
  const std::size_t size = segment.payload.size();
  const std::size_t count = size > 0 ? segment.u8(0) : 0;
  if (count < 1 || count > 4 || size != 2 * count + 4) {
    fail(ErrorKind::malformed, segment.body,
         "scan header: expected 1 to 4 components and a length of 6 + 2 for each, got ", count, " and ", size + 2);
  }
  int blocks = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = 1 + 2 * i, offset = segment.body + at;
    const int id = segment.u8(at);
    const int dc_table = segment.u8(at + 1) >> 4, ac_table = segment.u8(at + 1) & 15;
    const std::optional<std::size_t> component = find_component(frame, scan, id);
    if (!component) {
      fail(ErrorKind::malformed, offset,
           "scan header: expected a component of the frame, each at most once, got id ", id);
    }
    if (dc_table > 3 || ac_table > 3) {
      fail(ErrorKind::malformed, offset + 1, "scan header: expected Huffman tables 0 to 3, got ", dc_table, " and ",
           ac_table);
    }
    if (!scan.selections.empty() && *component < scan.selections.back().component) {
      warnings.add("scan header: expected components in the order of the frame, got another, at byte ", offset);
    }
    scan.selections.push_back({.component = *component, .dc_table = dc_table, .ac_table = ac_table});
    blocks += frame.components[*component].h * frame.components[*component].v;
  }
  if (scan.interleaved() && blocks > 10) {
    fail(ErrorKind::malformed, segment.body, "interleaved scan: expected at most 10 blocks in an MCU, got ", blocks);
  }
  const std::size_t at = 1 + 2 * count;
  scan.spectral_begin = segment.u8(at);
  scan.spectral_end = segment.u8(at + 1);
  scan.approx_high = segment.u8(at + 2) >> 4;
  scan.approx_low = segment.u8(at + 2) & 15;
  check_spectral(scan, frame, segment.body + at, warnings);
  if (!frame.progressive()) {
    scan.spectral_begin = scan.approx_high = scan.approx_low = 0;
    scan.spectral_end = 63;
  }
  return scan;
}

Progression::Progression(const Frame& frame) : progressive_(frame.progressive()), low_bit_(frame.components.size()) {
  for (auto& bits : low_bit_) bits.fill(kNotSent);
}

void Progression::add(const ScanHeader& scan, Warnings& warnings) {
  if (++scans_ > kMaxScans) {
    fail(ErrorKind::malformed, scan.offset, "expected at most ", kMaxScans, " scans, got more");
  }
  for (const ScanHeader::Selection& selection : scan.selections) {
    auto& bits = low_bit_[selection.component];
    if (!progressive_ && bits[0] != kNotSent) {
      fail(ErrorKind::malformed, scan.offset, "expected one scan of each component, got a second one of component ",
           selection.component);
    }
    bool follows = scan.is_dc() || bits[0] != kNotSent;
    for (unsigned k = scan.spectral_begin; k <= scan.spectral_end; ++k) {
      const int before = bits[k] == kNotSent ? 0 : bits[k];
      follows &= static_cast<int>(scan.approx_high) == before && !(bits[k] != kNotSent && scan.approx_high == 0);
      bits[k] = static_cast<std::int8_t>(scan.approx_low);
    }
    if (!follows) {
      warnings.add("progressive scan at byte ", scan.offset, " of component ", selection.component,
                   " does not follow from the scans before it");
    }
  }
}

void Progression::check_complete(const Frame& frame, std::size_t end_offset, bool has_end_marker,
                                 Warnings& warnings) const {
  for (std::size_t i = 0; i < low_bit_.size(); ++i) {
    if (!has_scan(i)) {
      fail(ErrorKind::truncated, end_offset, "expected a scan of each of ", frame.components.size(),
           " components, none came of component ", i);
    }
    const auto unfinished = std::ranges::count_if(low_bit_[i], [](int low) { return low != 0; });
    if (!progressive_ || unfinished == 0) continue;
    const std::string what =
        join("component ", i, ": the scans do not send ", unfinished, " of 64 coefficients in full");
    if (!has_end_marker) fail(ErrorKind::truncated, end_offset, what, " and the file has no end marker");
    warnings.add(what);
  }
}

}  // namespace freqlearn
