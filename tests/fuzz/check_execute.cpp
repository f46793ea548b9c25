#include "check_execute.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "guarded_output.hpp"

namespace fuzz {
namespace {

using freqlearn::DataType;
using freqlearn::InstructionSet;

// The largest dequantised coefficient of a file: what rounding errors are in proportion to.
double largest_coefficient(const freqlearn::Decoded& decoded) {
  double largest = 0;
  for (std::size_t i = 0; i < decoded.planes.size(); ++i) {
    const freqlearn::Plane& plane = decoded.planes[i];
    for (std::size_t at = 0; at < plane.rows() * plane.cols() * 64; ++at) {
      const int value = plane.block(0)[at] * static_cast<int>(decoded.info.quant_tables[i][at % 64]);
      largest = std::max(largest, std::abs(static_cast<double>(value)));
    }
  }
  return largest;
}

// What a value may differ by between two orders of summation in float32.
double rounding(const Execution& execution, double largest) {
  // A few hundred terms, each rounded to 2^-24 of the largest; colour steps and means of other stages on top.
  double bound = 2e-5 * (largest + 2048.0);
  for (const freqlearn::ColorStep& step : execution.plan.colors) bound *= 2.0 + std::abs(step.factor);
  return bound;
}

// A value's own precision, relative.
double precision(DataType type) {
  return type == DataType::float32 ? 0x1p-22 : type == DataType::float16 ? 0x1p-9 : 0x1p-6;
}

void compare(const std::vector<float>& expected, const std::vector<float>& got, const Execution& execution,
             double bound, const char* set) {
  const std::size_t channels = execution.target.channels.size();
  const std::size_t per_channel = channels == 0 ? 0 : expected.size() / channels;
  // Beyond float16's range both are infinite, or one is just below it.
  const auto finite = [](float value) { return std::clamp(static_cast<double>(value), -1e38, 1e38); };
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == got[i]) continue;
    const double a = finite(expected[i]), b = finite(got[i]);
    if (execution.type == DataType::float16 && std::min(std::abs(a), std::abs(b)) > 6e4 && a * b > 0) continue;
    const double allowed = bound / execution.target.std[i / per_channel] +
                           precision(execution.type) * std::max(std::abs(a), std::abs(b));
    if (!(std::abs(a - b) <= allowed)) {
      broken("instruction sets differ",
             freqlearn::join(set, ", channel ", execution.target.channels[i / per_channel], ", element ",
                             i % per_channel, ": baseline ", expected[i], ", got ", got[i], ", allowed ", allowed));
    }
  }
}

// Whether execute() takes such planes at all.
bool is_executable(const freqlearn::Info& info) {
  const auto& components = info.frame.components;
  const bool equal = std::ranges::all_of(components, [&](const freqlearn::Component& component) {
    return component.h == components[0].h && component.v == components[0].v;
  });
  return info.color_space == "gray" ? components.size() == 1
                                    : components.size() == 3 && (info.color_space == "YCbCr" ||
                                                                 (info.color_space == "RGB" && equal));
}

void check_errors(const Execution& execution, const Reference& reference, const freqlearn::Info& info,
                  const std::optional<Error>& error) {
  if (error && error->refused) {
    if (!execution.wild && is_executable(info)) broken("execute() refuses a good plan", describe(error));
    return;
  }
  if (reference.decoded && error) broken("execute() refuses a file that decode() reads", describe(error));
  if (!reference.error) return;
  if (!error && (reference.cut || execution.covers_all)) {
    broken("execute() reads a file that decode() refuses", describe(reference.error));
  }
  if (execution.covers_all && error != reference.error) {
    broken("execute() of everything and decode() fail differently",
           describe(reference.error) + "\n  " + describe(error));
  }
}

void check_finite(const std::vector<float>& values, const Execution& execution, const char* set) {
  const bool may_overflow = execution.wild || execution.type == DataType::float16;
  for (const float value : values) {
    if (std::isnan(value) ? !execution.wild : std::isinf(value) && !may_overflow) {
      broken("a value is not finite, or was not written", freqlearn::join(set, ": ", value));
    }
  }
}

// execute_planes() of what decode() reads: the same numbers to the last bit.
void check_planes(const std::vector<float>& values, const Execution& execution, const freqlearn::Decoded& decoded,
                  InstructionSet set) {
  std::vector<freqlearn::StoredPlane> planes;
  for (std::size_t i = 0; i < decoded.planes.size(); ++i) {
    const freqlearn::Component& component = decoded.info.frame.components[i];
    planes.push_back({.quantised = decoded.planes[i].block(0),
                      .quant_table = decoded.info.quant_tables[i],
                      .rows = component.rows,
                      .cols = component.cols,
                      .h = component.h,
                      .v = component.v});
  }
  GuardedOutput memory(execution);
  const auto error = error_of([&] {
    freqlearn::execute_planes(planes, decoded.info.color_space, execution.plan, execution.target, memory.output(), set);
  });
  if (error) broken("execute_planes() refuses what execute() takes", describe(error));
  if (!memory.untouched_outside()) broken("execute_planes() writes outside of its output");
  const auto same = [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  if (!std::ranges::equal(values, memory.values(), same)) broken("execute_planes() and execute() differ", name(set));
}

}  // namespace

bool check_execute(freqlearn::Bytes file, const Reference& reference, Script script) {
  freqlearn::Info info;
  // Files whose headers cannot be read get a plan for some other picture.
  if (error_of([&] { info = freqlearn::read_info(file, kMaxPixels); })) info.frame.width = info.frame.height = 64;
  const InstructionSet other = make_instruction_set(script);
  const Execution execution = make_execution(script, info.frame);
  const double bound = reference.decoded ? rounding(execution, largest_coefficient(*reference.decoded)) : 0;

  std::vector<float> baseline;
  std::optional<Error> first;
  for (const InstructionSet set : {InstructionSet::baseline, other}) {
    GuardedOutput memory(execution);
    const auto error = error_of(
        [&] { freqlearn::execute(file, execution.plan, execution.target, memory.output(), kMaxPixels, set); });
    if (!memory.untouched_outside()) broken("execute() writes outside of its output");
    if (set == InstructionSet::baseline) first = error;
    if (error != first) broken("instruction sets fail differently", describe(first) + "\n  " + describe(error));
    check_errors(execution, reference, info, error);
    if (error) continue;
    const std::vector<float> values = memory.values();
    check_finite(values, execution, name(set));
    if (reference.decoded && set == other) check_planes(values, execution, *reference.decoded, set);
    if (set == InstructionSet::baseline) {
      baseline = values;
    } else if (reference.decoded && !execution.wild) {
      compare(baseline, values, execution, bound, name(set));
    }
  }
  return !first;
}

}  // namespace fuzz
