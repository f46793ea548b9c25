// How a check says that a promise was broken, and what is expected to be thrown.
#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>

#include "error.hpp"

namespace fuzz {

// Says so and aborts; the driver, or libFuzzer, then keeps the input.
[[noreturn]] void broken(const char* promise, const std::string& details = "");

struct Error {
  freqlearn::ErrorKind kind{};
  std::size_t offset = 0;
  std::string message;
  bool refused = false;  // std::invalid_argument: nothing is wrong with the file
  friend bool operator==(const Error&, const Error&) = default;
};

std::string describe(const std::optional<Error>& error);

// What `act` threw, of the exceptions that it may throw. Others end the program.
template <class Act>
std::optional<Error> error_of(Act&& act) {
  try {
    act();
  } catch (const freqlearn::JpegError& error) {
    return Error{error.kind(), error.offset(), error.message()};
  } catch (const std::invalid_argument& error) {
    return Error{.message = error.what(), .refused = true};
  }
  return std::nullopt;
}

}  // namespace fuzz
