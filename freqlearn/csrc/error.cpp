#include "error.hpp"

namespace freqlearn {

JpegError::JpegError(ErrorKind kind, std::size_t offset, const std::string& message)
    : kind_(kind), offset_(offset), message_(join(message, " at byte ", offset)) {}

std::string marker_name(int code) {
  constexpr char digits[] = "0123456789ABCDEF";
  return {'F', 'F', digits[(code >> 4) & 15], digits[code & 15]};
}

}  // namespace freqlearn
