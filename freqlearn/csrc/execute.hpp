// JPEG bytes, a plan and what a model expects, to a finished tensor in the caller's memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "block_rows.hpp"
#include "cpu.hpp"
#include "output.hpp"
#include "plan.hpp"
#include "planes.hpp"
#include "quantisation.hpp"
#include "segments.hpp"

namespace freqlearn {

// What a model expects of one picture. The same for all pictures of a data set.
struct Target {
  std::vector<int> channels;      // 64 * component + 8 * v + u, in the order of the tensor's channel axis
  std::vector<double> mean, std;  // of each channel: the output is (value - mean) / std
  // An AC coefficient may be left out of all blocks if one quantisation step in every block changes no output value by
  // as much as this, in dequantised units; 0: exact.
  double tolerance = 0.0;
};

// Throws what decode(strict == true) throws where it decodes; std::invalid_argument for a plan, a target or an output
// that do not fit each other or the picture. Never touches memory outside of `output`'s elements, which are undefined
// after an exception.
void execute(Bytes data, const Plan& plan, const Target& target, const Output& output, std::uint64_t max_pixels,
             InstructionSet set = best_instruction_set());

// One component that is in memory already: (rows, cols, 8, 8), natural order.
struct StoredPlane {
  const Coefficient* quantised = nullptr;  // with a table ...
  QuantTable quant_table{};
  const float* dequantised = nullptr;  // ... or, where `quantised` is null, as they are
  std::size_t rows = 0, cols = 0;
  int h = 1, v = 1;  // sampling factors
};

// The same for planes of `color_space` ("gray", "YCbCr", "RGB"); their picture has the plan's size.
void execute_planes(std::span<const StoredPlane> planes, const std::string& color_space, const Plan& plan,
                    const Target& target, const Output& output, InstructionSet set = best_instruction_set());

// What execute_planes reads of the planes, one range a plane: all else may be zero, and the result is the same to the
// bit.
std::vector<BlockRange> needed_blocks(std::span<const StoredPlane> planes, const std::string& color_space,
                                      const Plan& plan, const Target& target);

// By how much at most an output value changes, before it is standardised, where one coefficient of one block of a plane
// changes by 1: 64 a plane, at 8 * v + u. Of planes of RGB rather too much; infinity where the plan has contrast.
std::vector<std::array<double, 64>> peak_weights(std::span<const StoredPlane> planes, const std::string& color_space,
                                                 const Plan& plan, const Target& target);

}  // namespace freqlearn
