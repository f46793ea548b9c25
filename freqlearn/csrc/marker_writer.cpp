#include "marker_writer.hpp"

#include <algorithm>

namespace freqlearn {
namespace {

int frame_marker(Process process) {
  switch (process) {
    case Process::baseline: return marker::SOF0;
    case Process::extended: return marker::SOF1;
    case Process::progressive: return marker::SOF2;
  }
  return marker::SOF1;
}

std::size_t nibbles(int high, int low) { return static_cast<std::size_t>(high << 4 | low); }

}  // namespace

void MarkerWriter::marker(int code) {
  u8(0xFF);
  u8(static_cast<std::size_t>(code));
}

void MarkerWriter::segment(int code, std::size_t payload) {
  marker(code);
  u16(payload + 2);
}

void MarkerWriter::quant_table(const QuantTable& table, std::size_t index) {
  const bool wide = std::ranges::max(table) > 255;
  segment(marker::DQT, 1 + (wide ? 128 : 64));
  u8((wide ? 16 : 0) + index);
  for (const std::uint8_t place : kNatural) wide ? u16(table[place]) : u8(table[place]);
}

void MarkerWriter::frame(const Frame& frame) {
  segment(frame_marker(frame.process), 6 + 3 * frame.components.size());
  u8(8);  // bits of a sample
  u16(frame.height);
  u16(frame.width);
  u8(frame.components.size());
  for (const Component& component : frame.components) {
    u8(static_cast<std::size_t>(component.id));
    u8(nibbles(component.h, component.v));
    u8(static_cast<std::size_t>(component.quant_index));
  }
}

void MarkerWriter::huffman_table(const HuffmanSpec& spec, TableClass kind, std::size_t index) {
  segment(marker::DHT, 17 + spec.size);
  u8(static_cast<std::size_t>(kind) << 4 | index);
  for (std::size_t length = 1; length <= 16; ++length) u8(spec.counts[length]);
  for (std::size_t i = 0; i < spec.size; ++i) u8(spec.symbols[i]);
}

void MarkerWriter::restart_interval(std::size_t mcus) {
  segment(marker::DRI, 2);
  u16(mcus);
}

void MarkerWriter::scan(const ScanHeader& scan, const Frame& frame) {
  // Numbers of tables that a progressive scan does not use are 0.
  const bool uses_dc = scan.is_dc() && !scan.is_refinement(), uses_ac = scan.spectral_end > 0;
  segment(marker::SOS, 4 + 2 * scan.selections.size());
  u8(scan.selections.size());
  for (const ScanHeader::Selection& selection : scan.selections) {
    u8(static_cast<std::size_t>(frame.components[selection.component].id));
    u8(nibbles(uses_dc ? selection.dc_table : 0, uses_ac ? selection.ac_table : 0));
  }
  u8(scan.spectral_begin);
  u8(scan.spectral_end);
  u8(scan.approx_high << 4 | scan.approx_low);
}

}  // namespace freqlearn
