// Codes the blocks of sequential scans (T.81 F.1.2): a first time to count symbols, a second time to write them.
#pragma once

#include <cstddef>

#include "picture.hpp"
#include "scan_header.hpp"
#include "symbol_sinks.hpp"

namespace freqlearn {

// `sink` is a SymbolCounter or a SymbolWriter. Throws std::invalid_argument for coefficients that a picture of 8-bit
// samples cannot have.
template <class Sink>
void encode_sequential(const Picture& picture, const ScanHeader& scan, std::size_t restart_interval, Sink& sink);

}  // namespace freqlearn
