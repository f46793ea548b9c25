// Baseline and extended sequential scans (T.81 F.2.2).
#pragma once

#include "scan.hpp"

namespace freqlearn {

void decode_sequential(Scan& scan, std::size_t first, std::size_t count, BitReader& bits);

}  // namespace freqlearn
