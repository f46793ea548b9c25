// Which scans a file has: all at once, or progressively by libjpeg's script.
#pragma once

#include <vector>

#include "picture.hpp"
#include "scan_header.hpp"

namespace freqlearn {

std::vector<ScanHeader> scan_script(const Picture& picture);

}  // namespace freqlearn
