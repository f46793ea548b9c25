// What the ways to read a file promise of each other.
#pragma once

#include <optional>

#include "decoder.hpp"
#include "failure.hpp"
#include "script.hpp"

namespace fuzz {

// As freqlearn's default.
inline constexpr std::uint64_t kMaxPixels = 178'956'970;

// What the strict, readable decoder made of a file: the measure of all others.
struct Reference {
  std::optional<freqlearn::Decoded> decoded;
  std::optional<Error> error;  // if not decoded
  // The file ends too early: in a segment, or without EOI. Not damage inside it that makes a scan end too early.
  bool cut = false;
  bool lenient_read = false, lenient_complete = false;
};

// decode(), strict and not, readable and fast, check() and read_info().
Reference check_decoders(freqlearn::Bytes file, Script script);

// decode_rows() against decode(), for ranges that the script chooses.
void check_rows(freqlearn::Bytes file, const Reference& reference, Script script);

}  // namespace fuzz
