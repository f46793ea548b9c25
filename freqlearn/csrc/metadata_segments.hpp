// What a file says beside its picture: application segments and comments, as they are.
#pragma once

#include <vector>

#include "segments.hpp"

namespace freqlearn {

// Those before the first scan, in order: later ones are read by nobody. `data` begins as a JPEG file, and its headers
// have been read.
std::vector<Segment> metadata_segments(Bytes data);

}  // namespace freqlearn
