// Coefficients to a JPEG file: markers, tables and scans in their order.
#pragma once

#include <cstdint>
#include <vector>

#include "picture.hpp"

namespace freqlearn {

// A whole file; `options` are those that the picture was checked with. Throws std::invalid_argument for coefficients
// beyond the format's range.
std::vector<std::uint8_t> write_file(const Picture& picture, const WriteOptions& options);

}  // namespace freqlearn
