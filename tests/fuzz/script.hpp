// A fuzzer's input is a script of kScriptBytes and then a JPEG file: the script says what is done with the file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "block_rows.hpp"
#include "decoder.hpp"
#include "execute.hpp"

namespace fuzz {

// Of the script, for each of: check_decoders(), check_rows(); the rest is for check_execute().
inline constexpr std::size_t kDecoderBytes = 4, kRowBytes = 24;
inline constexpr std::size_t kScriptBytes = 128;
// Of the output of a plan, in px: what a test may cost.
inline constexpr std::int64_t kLargestOutput = 256;

// Reads choices off the script; after its end all are zero.
class Script {
 public:
  explicit Script(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::uint64_t number(std::size_t bytes);
  // In [0, limit), limit > 0.
  std::uint64_t below(std::uint64_t limit) { return number(limit <= 256 ? 1 : limit <= 65536 ? 2 : 4) % limit; }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  bool chance(unsigned percent) { return below(100) < percent; }

  template <class T, std::size_t N>
  const T& one_of(const std::array<T, N>& choices) {
    return choices[below(N)];
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

// Everything that execute() takes besides the file.
struct Execution {
  freqlearn::Plan plan;
  freqlearn::Target target;
  freqlearn::DataType type = freqlearn::DataType::float32;
  // Place of the tensor's axes in memory, outermost first, the elements left out between two of an axis, and whether
  // the axis runs backwards.
  std::array<int, 3> axis_order{0, 1, 2};
  std::array<int, 3> gaps{0, 0, 0};
  std::array<bool, 3> backwards{false, false, false};
  // Whether something may be there that execute() must refuse.
  bool wild = false;
  enum class BadOutput { none, other_channels, other_rows, other_cols, null, overlapping };
  BadOutput bad_output = BadOutput::none;
  // Whether every block of the file is needed, for an output that is the file's own blocks.
  bool covers_all = false;
};

// (channels, rows, cols) of the output, in blocks.
std::array<std::size_t, 3> output_shape(const Execution& execution);

// One of those that this processor runs.
freqlearn::InstructionSet make_instruction_set(Script& script);

Execution make_execution(Script& script, const freqlearn::Frame& frame);

// One range a component, within its blocks.
std::vector<freqlearn::BlockRange> make_ranges(Script& script, const freqlearn::Frame& frame);

}  // namespace fuzz
