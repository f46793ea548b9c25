// One scan: its components, tables and MCUs (T.81 A.2), and its restart intervals (T.81 E.2.4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "bit_reader.hpp"
#include "entropy_data.hpp"
#include "huffman.hpp"
#include "planes.hpp"
#include "scan_header.hpp"
#include "warnings.hpp"

namespace freqlearn {

struct ScanComponent {
  const Component* component = nullptr;
  Plane* plane = nullptr;
  const HuffmanSpec* dc_spec = nullptr;  // as valid; null where the scan needs none
  const HuffmanSpec* ac_spec = nullptr;
  const HuffmanTable* dc = nullptr;  // after build_tables()
  const HuffmanTable* ac = nullptr;
  std::uint32_t dc_predictor = 0;  // modulo 2^16, as libjpeg's coefficients are
};

// The tables live here and the components point to them, so a Scan stays where it is.
struct Scan {
  ScanHeader header;
  std::size_t mcu_cols = 0, mcus = 0;
  std::vector<ScanComponent> components;
  std::array<std::optional<HuffmanTable>, 4> dc_tables, ac_tables;

  // Restart intervals of `restart_interval` MCUs; 0 means one of them all.
  [[nodiscard]] std::size_t intervals(std::size_t restart_interval) const {
    return restart_interval > 0 ? (mcus + restart_interval - 1) / restart_interval : 1;
  }

  // Throws if a table that this scan needs is missing or invalid.
  Scan(const ScanHeader& header, const Frame& frame, std::vector<Plane>& planes, const HuffmanSlots& slots);
  // For the readable decoders; once is enough.
  void build_tables();
  Scan(const Scan&) = delete;
  Scan& operator=(const Scan&) = delete;
};

// What is wrong inside entropy-coded data; decode_scan adds where.
struct EntropyFault {
  const char* what;
};

enum class Progress { more, enough };

// Decodes `count` MCUs from MCU `first` on: one restart interval. Throws EntropyFault. Says whether those behind it are
// of any use.
using IntervalDecoder = std::function<Progress(std::size_t first, std::size_t count, BitReader& bits)>;

// Decodes restart intervals of `scan`, all or until there is enough. With strict == false, a fault leaves the rest of
// its interval as it was and decoding goes on at the next restart marker. Returns whether everything could be read.
bool decode_scan(const Scan& scan, const IntervalDecoder& decode_interval, const EntropyData& data,
                 std::size_t restart_interval, bool strict, Warnings& warnings);

// Calls decode_block(ScanComponent&, Block) for every block of the MCUs, in the order of the data. Blocks that pad
// the last MCU of a row or column are decoded to nowhere.
template <class DecodeBlock>
void for_each_block(Scan& scan, std::size_t first, std::size_t count, DecodeBlock&& decode_block) {
  if (!scan.header.interleaved()) {
    ScanComponent& component = scan.components.front();
    for (std::size_t i = first; i < first + count; ++i) decode_block(component, component.plane->block(i));
    return;
  }
  std::array<Coefficient, 64> padding{};
  std::size_t mcu_row = first / scan.mcu_cols, mcu_col = first % scan.mcu_cols;
  for (std::size_t i = 0; i < count; ++i) {
    for (ScanComponent& component : scan.components) {
      const Component& shape = *component.component;
      const auto h = static_cast<std::size_t>(shape.h), v = static_cast<std::size_t>(shape.v);
      for (std::size_t row = mcu_row * v; row < (mcu_row + 1) * v; ++row) {
        for (std::size_t col = mcu_col * h; col < (mcu_col + 1) * h; ++col) {
          const bool inside = row < shape.rows && col < shape.cols;
          decode_block(component, inside ? component.plane->block(row, col) : padding.data());
        }
      }
    }
    if (++mcu_col == scan.mcu_cols) {
      mcu_col = 0;
      ++mcu_row;
    }
  }
}

}  // namespace freqlearn
