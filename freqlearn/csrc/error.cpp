#include "error.hpp"

namespace freqlearn {
namespace {

const char* way_out(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::truncated:
      return "; strict=False keeps what can be read";
    case ErrorKind::unsupported:
      return "; decoder=\"pixels\" reads what Pillow can read";
    case ErrorKind::too_large:
      return "; if the file is trusted, pass a larger max_pixels";
    case ErrorKind::malformed:
    case ErrorKind::not_jpeg:
      break;
  }
  return "";
}

}  // namespace

JpegError::JpegError(ErrorKind kind, std::size_t offset, const std::string& message)
    : kind_(kind), offset_(offset), message_(join(message, " at byte ", offset, way_out(kind))) {}

std::string marker_name(int code) {
  constexpr char digits[] = "0123456789ABCDEF";
  return {'F', 'F', digits[(code >> 4) & 15], digits[code & 15]};
}

}  // namespace freqlearn
