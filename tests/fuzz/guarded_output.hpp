// Memory for a tensor, every byte of it known before: what execute() leaves out or writes beside shows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "execute.hpp"
#include "script.hpp"

namespace fuzz {

class GuardedOutput {
 public:
  explicit GuardedOutput(const Execution& execution);

  [[nodiscard]] freqlearn::Output output();
  // Whether no byte has changed that belongs to no element.
  [[nodiscard]] bool untouched_outside() const;
  // All elements, by channel, row and column; NaN where nothing was written.
  [[nodiscard]] std::vector<float> values() const;

 private:
  [[nodiscard]] std::vector<std::size_t> places() const;  // of the elements, in bytes

  freqlearn::DataType type_;
  Execution::BadOutput bad_;
  std::size_t item_bytes_ = 0, first_ = 0;  // first_: where element (0, 0, 0) is, in bytes
  std::array<std::size_t, 3> shape_{};
  std::array<std::ptrdiff_t, 3> strides_{};  // in elements
  std::vector<std::uint8_t> memory_;
};

}  // namespace fuzz
