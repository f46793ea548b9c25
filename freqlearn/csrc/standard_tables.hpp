// The typical Huffman tables of T.81 annex K.3: no first pass over the picture, and files about a tenth larger.
#pragma once

#include "huffman.hpp"

namespace freqlearn {

// Tables 0 for luma, 1 for chroma; they have a code for every symbol of an 8-bit sequential picture.
const HuffmanSpec& standard_dc_table(std::size_t table);
const HuffmanSpec& standard_ac_table(std::size_t table);

}  // namespace freqlearn
