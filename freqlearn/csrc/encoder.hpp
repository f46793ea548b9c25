// Pixels to a JPEG file's quantised coefficients, only those that are wanted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu.hpp"
#include "pixel_lines.hpp"
#include "planes.hpp"
#include "quantisation.hpp"

namespace freqlearn {

struct EncodedComponent {
  int h = 1, v = 1;         // sampling factors, which divide the largest
  QuantTable quant_table{};
  std::uint64_t wanted = 0;  // bit 8 * v + u
};

// One plane a component, natural order, without MCU padding: the coefficients of libjpeg-turbo with its float DCT, to
// the last bit, zero where unwanted. Gray pixels have one component, RGB pixels Y, Cb and Cr.
//
// Throws std::invalid_argument for a number of components, a size, a factor or a table that no JPEG file has.
std::vector<Plane> encode_pixels(const PixelView& pixels, std::span<const EncodedComponent> components,
                                 InstructionSet set = best_instruction_set());

}  // namespace freqlearn
