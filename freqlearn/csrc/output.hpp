// The caller's memory for a finished tensor.
#pragma once

#include <cstddef>
#include <cstdint>

namespace freqlearn {

enum class DataType { float32, float16, bfloat16 };

// (channels, rows, cols) = (C, height / 8, width / 8) of the plan's output, anywhere in memory; strides in elements.
struct Output {
  void* data = nullptr;
  DataType type = DataType::float32;
  std::int64_t channels = 0, rows = 0, cols = 0;
  std::ptrdiff_t channel_stride = 0, row_stride = 0, col_stride = 0;
};

}  // namespace freqlearn
