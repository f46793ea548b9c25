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

}  // namespace

Reference check_decoders(freqlearn::Bytes file) {
  Reference reference;
  reference.error = error_of([&] { reference.decoded = freqlearn::decode(file, true, kMaxPixels); });
  std::optional<Decoded> lenient;
  const auto lenient_error = error_of([&] { lenient = freqlearn::decode(file, false, kMaxPixels); });
  const auto check_error = error_of([&] { freqlearn::check(file, kMaxPixels); });
  const auto info_error = error_of([&] { freqlearn::read_info(file, kMaxPixels); });

  for (const auto& error : {reference.error, lenient_error, check_error, info_error}) {
    if (error && error->refused) broken("a decoder says invalid argument", describe(error));
  }
  if (reference.decoded) {
    if (!reference.decoded->complete) broken("strict decoding accepts a file and calls it incomplete");
    if (!lenient || !lenient->complete) broken("strict=False refuses a good file", describe(lenient_error));
    if (!same_planes(*reference.decoded, *lenient)) broken("strict=False changes a good file");
    if (check_error) broken("check() refuses what decode() reads", describe(check_error));
  } else if (lenient && lenient->complete) {
    broken("strict=False calls a refused file complete", describe(reference.error));
  }
  if ((lenient || !check_error) && info_error) broken("read_info() refuses what others read", describe(info_error));
  if (lenient && lenient->planes.size() != lenient->info.frame.components.size()) broken("a plane is missing");
  reference.lenient_read = lenient.has_value();
  reference.lenient_complete = lenient && lenient->complete;
  return reference;
}

}  // namespace fuzz
