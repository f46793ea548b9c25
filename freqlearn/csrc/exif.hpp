// The orientation of an EXIF APP1 segment (CIPA DC-008, 4.6.4): the only thing that this decoder reads of it.
#pragma once

#include <optional>

#include "segments.hpp"

namespace freqlearn {

// 1..8, or nothing if `payload` is not EXIF or its orientation is absent or invalid. Trusts no offset in it.
std::optional<int> parse_exif_orientation(Bytes payload);

}  // namespace freqlearn
