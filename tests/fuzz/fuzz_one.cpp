#include "fuzz_one.hpp"

#include <algorithm>
#include <memory>
#include <span>

#include "check_decoders.hpp"
#include "check_execute.hpp"

namespace fuzz {

void fuzz_one(const std::uint8_t* data, std::size_t size, Counts& counts) {
  if (size < kScriptBytes) return;
  const std::span<const std::uint8_t> script(data, kScriptBytes);
  // A copy that ends where the file ends, so that ASan sees every byte read beyond.
  const std::size_t file_bytes = size - kScriptBytes;
  const auto copy = std::make_unique<std::uint8_t[]>(file_bytes);
  std::copy_n(data + kScriptBytes, file_bytes, copy.get());
  const freqlearn::Bytes file(copy.get(), file_bytes);

  const Reference reference = check_decoders(file, Script(script.first(kDecoderBytes)));
  check_rows(file, reference, Script(script.subspan(kDecoderBytes, kRowBytes)));
  const bool executed = check_execute(file, reference, Script(script.subspan(kDecoderBytes + kRowBytes)));

  ++counts.inputs;
  counts.decoded += reference.decoded.has_value();
  counts.lenient_incomplete += reference.lenient_read && !reference.lenient_complete;
  if (reference.error) ++counts.refused[static_cast<std::size_t>(reference.error->kind)];
  counts.executed += executed;
  counts.executed_of_refused += executed && reference.error;
}

}  // namespace fuzz
