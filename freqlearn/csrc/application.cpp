#include "application.hpp"

#include <algorithm>
#include <string_view>

#include "error.hpp"
#include "exif.hpp"

namespace freqlearn {
namespace {

bool starts_with(Bytes bytes, std::string_view text) {
  const auto same = [](char a, std::uint8_t b) { return a == static_cast<char>(b); };
  return bytes.size() >= text.size() && std::equal(text.begin(), text.end(), bytes.begin(), same);
}

std::string three_components(const Frame& frame, const ApplicationData& data, Warnings& warnings) {
  if (data.jfif) return "YCbCr";
  if (data.adobe_transform) {
    if (*data.adobe_transform == 0) return "RGB";
    if (*data.adobe_transform != 1) {
      warnings.add("Adobe colour transform: expected 0 or 1 for three components, got ", *data.adobe_transform,
                   "; read as YCbCr");
    }
    return "YCbCr";
  }
  const auto& c = frame.components;
  return c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B' ? "RGB" : "YCbCr";
}

std::string four_components(const ApplicationData& data, Warnings& warnings) {
  if (data.adobe_transform.value_or(0) == 0) return "CMYK";
  if (*data.adobe_transform != 2) {
    warnings.add("Adobe colour transform: expected 0 or 2 for four components, got ", *data.adobe_transform,
                 "; read as YCCK");
  }
  return "YCCK";
}

}  // namespace

void parse_application(const Segment& segment, ApplicationData& data) {
  using std::string_view_literals::operator""sv;
  const Bytes payload = segment.payload;
  // Shortest contents as in libjpeg (APP0_DATA_LEN, APPN_DATA_LEN).
  if (segment.code == marker::APP0 && payload.size() >= 14 && starts_with(payload, "JFIF\0"sv)) {
    data.jfif = true;
  } else if (segment.code == marker::APP1 && !data.orientation) {
    data.orientation = parse_exif_orientation(payload);
  } else if (segment.code == marker::APP14 && payload.size() >= 12 && starts_with(payload, "Adobe"sv)) {
    data.adobe_transform = segment.u8(11);
  }
}

std::string color_space(const Frame& frame, const ApplicationData& data, Warnings& warnings) {
  switch (frame.components.size()) {
    case 1: return "gray";
    case 3: return three_components(frame, data, warnings);
    case 4: return four_components(data, warnings);
    default: return "unknown";
  }
}

}  // namespace freqlearn
