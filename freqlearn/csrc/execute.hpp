// JPEG bytes, a plan and what a model expects, to a finished tensor in the caller's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu.hpp"
#include "plan.hpp"
#include "segments.hpp"

namespace freqlearn {

// What a model expects of one picture. The same for all pictures of a data set.
struct Target {
  std::vector<int> channels;      // 64 * component + 8 * v + u, in the order of the tensor's channel axis
  std::vector<double> mean, std;  // of each channel: the output is (value - mean) / std
  // Coefficients whose largest share of an output value is below this many dequantised units a quantisation step may
  // be left out; 0: exact.
  double tolerance = 0.0;
};

enum class DataType { float32, float16, bfloat16 };

// (channels, height / 8, width / 8) of the plan's output, anywhere in memory; strides in elements.
struct Output {
  void* data = nullptr;
  DataType type = DataType::float32;
  std::ptrdiff_t channel_stride = 0, row_stride = 0, col_stride = 0;
};

// Throws what decode(strict == true) throws where it decodes; std::invalid_argument for a plan that does not fit the
// picture. The file's size must be the plan's. Never touches memory outside of `output`'s elements.
void execute(Bytes data, const Plan& plan, const Target& target, const Output& output, std::uint64_t max_pixels,
             InstructionSet set = best_instruction_set());

}  // namespace freqlearn
