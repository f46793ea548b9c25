// The shortest Huffman code for symbols that were counted (T.81 annex K.2).
#pragma once

#include <array>
#include <cstdint>

#include "huffman.hpp"

namespace freqlearn {

using SymbolCounts = std::array<std::uint64_t, 256>;

// Codes of at most 16 bits, none of all ones. Symbols that never come have none.
HuffmanSpec optimal_table(const SymbolCounts& counts);

}  // namespace freqlearn
