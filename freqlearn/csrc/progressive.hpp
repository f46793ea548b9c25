// Progressive scans (T.81 G.2): the DC and bands of AC, first their high bits, then one bit a scan.
#pragma once

#include "scan.hpp"

namespace freqlearn {

void decode_dc_first(Scan& scan, std::size_t first, std::size_t count, BitReader& bits);
void decode_dc_refinement(Scan& scan, std::size_t first, std::size_t count, BitReader& bits);
// AC scans have one component, whose plane must have masks.
void decode_ac_first(Scan& scan, std::size_t first, std::size_t count, BitReader& bits);
void decode_ac_refinement(Scan& scan, std::size_t first, std::size_t count, BitReader& bits);

}  // namespace freqlearn
