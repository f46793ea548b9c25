// Marker segments as they are written (T.81 B.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "frame.hpp"
#include "huffman.hpp"
#include "quantisation.hpp"
#include "scan_header.hpp"
#include "symbol_sinks.hpp"

namespace freqlearn {

class MarkerWriter {
 public:
  // Appends to `bytes`, which has to stay.
  explicit MarkerWriter(std::vector<std::uint8_t>& bytes) : bytes_(bytes) {}

  void marker(int code);
  void quant_table(const QuantTable& table, std::size_t index);
  void frame(const Frame& frame);
  void huffman_table(const HuffmanSpec& spec, TableClass kind, std::size_t index);
  void restart_interval(std::size_t mcus);
  void scan(const ScanHeader& scan, const Frame& frame);

 private:
  void u8(std::size_t value) { bytes_.push_back(static_cast<std::uint8_t>(value)); }
  void u16(std::size_t value) {
    u8(value >> 8);
    u8(value & 255);
  }
  // A marker and its length.
  void segment(int code, std::size_t payload);

  std::vector<std::uint8_t>& bytes_;
};

}  // namespace freqlearn
