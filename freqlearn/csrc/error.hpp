// The one exception that the decoder throws; bindings.cpp turns it into the classes of freqlearn/errors.py.
#pragma once

#include <cstddef>
#include <exception>
#include <locale>
#include <sstream>
#include <string>
#include <utility>

namespace freqlearn {

enum class ErrorKind { malformed, truncated, unsupported, too_large, not_jpeg };

// Says what was expected, what came and at which byte of the file; the decoder adds the way out.
class JpegError : public std::exception {
 public:
  JpegError(ErrorKind kind, std::size_t offset, const std::string& message);

  void suggest(const std::string& way_out) { message_ += way_out; }

  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }
  [[nodiscard]] std::size_t offset() const noexcept { return offset_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorKind kind_;
  std::size_t offset_;
  std::string message_;
};

// Strings and numbers, one after another (std::format needs a newer compiler than C++20 does).
template <class... Parts>
std::string join(const Parts&... parts) {
  std::ostringstream text;
  text.imbue(std::locale::classic());  // a program may have set one that writes 65,535
  (text << ... << parts);
  return std::move(text).str();
}

// "FFC4", as people write a marker whose second byte is `code`.
std::string marker_name(int code);

template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, std::size_t offset, const Parts&... parts) {
  throw JpegError(kind, offset, join(parts...));
}

}  // namespace freqlearn
