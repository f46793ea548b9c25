#include "check_decoders.hpp"

#include <algorithm>
#include <cstring>

namespace fuzz {
namespace {

using freqlearn::Decoded;

bool same_planes(const Decoded& a, const Decoded& b) {
  return std::ranges::equal(a.planes, b.planes, [](const auto& p, const auto& q) {
    return p.rows() == q.rows() && p.cols() == q.cols() &&
           std::memcmp(p.block(0), q.block(0), p.rows() * p.cols() * 64 * sizeof(freqlearn::Coefficient)) == 0;
  });
}

struct Attempt {
  std::optional<Decoded> decoded;
  std::optional<Error> error;
};

Attempt attempt(freqlearn::Bytes file, bool strict, const freqlearn::Method& method) {
  Attempt made;
  made.error = error_of([&] { made.decoded = freqlearn::decode(file, strict, kMaxPixels, method); });
  if (made.error && made.error->refused) broken("a decoder says invalid argument", describe(made.error));
  if (made.decoded && made.decoded->planes.size() != made.decoded->info.frame.components.size()) {
    broken("a plane is missing");
  }
  return made;
}

// The fast decoder finds what the readable one finds, in coefficients, errors and warnings.
void check_fast(freqlearn::Bytes file, bool strict, const Attempt& readable, freqlearn::InstructionSet set) {
  const Attempt fast = attempt(file, strict, {.reference = false, .set = set});
  if (fast.error != readable.error) {
    broken("the fast decoder fails otherwise than the readable one",
           describe(readable.error) + "\n  " + describe(fast.error));
  }
  if (!fast.decoded) return;
  if (!same_planes(*fast.decoded, *readable.decoded)) broken("the fast decoder reads other coefficients", name(set));
  const auto& info = fast.decoded->info;
  const auto& expected = readable.decoded->info;
  if (fast.decoded->complete != readable.decoded->complete || info.warnings != expected.warnings ||
      info.quant_tables != expected.quant_tables || info.restart_interval != expected.restart_interval) {
    broken("the fast decoder says something else of a file", name(set));
  }
}

}  // namespace

Reference check_decoders(freqlearn::Bytes file, Script script) {
  Attempt strict = attempt(file, true, {.reference = true});
  const Attempt lenient = attempt(file, false, {.reference = true});
  check_fast(file, true, strict, make_instruction_set(script));
  check_fast(file, false, lenient, make_instruction_set(script));
  freqlearn::Info checked;
  const auto check_error = error_of([&] { checked = freqlearn::check(file, kMaxPixels); });
  const bool ends_early = check_error || std::ranges::any_of(checked.warnings, [](const std::string& warning) {
    return warning.starts_with("missing EOI");
  });
  const bool cut = ends_early && strict.error && strict.error->kind == freqlearn::ErrorKind::truncated;
  const auto info_error = error_of([&] { freqlearn::read_info(file, kMaxPixels); });

  if (strict.decoded) {
    if (!strict.decoded->complete) broken("strict decoding accepts a file and calls it incomplete");
    if (!lenient.decoded || !lenient.decoded->complete) {
      broken("strict=False refuses a good file", describe(lenient.error));
    }
    if (!same_planes(*strict.decoded, *lenient.decoded)) broken("strict=False changes a good file");
    if (check_error) broken("check() refuses what decode() reads", describe(check_error));
  } else if (lenient.decoded && lenient.decoded->complete) {
    broken("strict=False calls a refused file complete", describe(strict.error));
  }
  if ((lenient.decoded || !check_error) && info_error) {
    broken("read_info() refuses what others read", describe(info_error));
  }
  return {.decoded = std::move(strict.decoded),
          .error = std::move(strict.error),
          .cut = cut,
          .lenient_read = lenient.decoded.has_value(),
          .lenient_complete = lenient.decoded && lenient.decoded->complete};
}

}  // namespace fuzz
