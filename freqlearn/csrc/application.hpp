// What APPn segments say: JFIF (APP0), Adobe's colour transform (APP14), EXIF orientation (APP1).
#pragma once

#include <optional>
#include <string>

#include "frame.hpp"
#include "warnings.hpp"

namespace freqlearn {

struct ApplicationData {
  bool jfif = false;
  std::optional<int> adobe_transform;  // 0: RGB or CMYK, 1: YCbCr, 2: YCCK
  std::optional<int> orientation;      // EXIF 1..8
};

// Ignores segments that it does not know.
void parse_application(const Segment& segment, ApplicationData& data);

// "gray", "YCbCr", "RGB", "CMYK", "YCCK" or "unknown", by libjpeg's rules (jdapimin.c, default_decompress_parms).
std::string color_space(const Frame& frame, const ApplicationData& data, Warnings& warnings);

}  // namespace freqlearn
