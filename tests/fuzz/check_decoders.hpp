// What the ways to read a file promise of each other.
#pragma once

#include <optional>

#include "decoder.hpp"
#include "failure.hpp"
#include "script.hpp"

namespace fuzz {

// As freqlearn's default.
inline constexpr std::uint64_t kMaxPixels = 178'956'970;

// What the strict decoder made of a file: the measure of all others.
struct Reference {
  std::optional<freqlearn::Decoded> decoded;
  std::optional<Error> error;  // if not decoded
  bool lenient_read = false, lenient_complete = false;
};

// decode(), strict and not, check() and read_info().
Reference check_decoders(freqlearn::Bytes file);

// decode_rows() against decode(), each instruction set, for ranges that the script chooses.
void check_rows(freqlearn::Bytes file, const Reference& reference, Script script);

}  // namespace fuzz
