// What the writer takes: coefficients that somebody else owns, and how they are to be written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "frame.hpp"
#include "planes.hpp"
#include "quantisation.hpp"

namespace freqlearn {

// One component: (rows, cols, 8, 8), quantised, natural order.
struct SourcePlane {
  const Coefficient* blocks = nullptr;
  std::size_t rows = 0, cols = 0;
  int h = 1, v = 1;  // sampling factors
  QuantTable quant_table{};
};

struct WriteOptions {
  bool optimise = true;      // Huffman tables made for the picture; else those of annex K.3
  bool progressive = false;  // by libjpeg's script
  std::size_t restart_interval = 0;  // MCUs; 0: none
  Bytes segments{};          // whole marker segments that go directly behind SOI
};

// Checked, and with the frame header that says it.
struct Picture {
  Frame frame;
  std::vector<SourcePlane> planes;
  std::vector<QuantTable> quant_tables;    // those that differ; Component::quant_index is the place here
  std::vector<int> huffman_tables;         // 0 or 1 for each component, for DC and AC
  bool is_ycbcr = false;
};

// Throws std::invalid_argument for what no JPEG file can hold. `color_space` as in application.hpp.
Picture checked_picture(std::span<const SourcePlane> planes, std::size_t width, std::size_t height,
                        const std::string& color_space, const WriteOptions& options);

}  // namespace freqlearn
