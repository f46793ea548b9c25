#include "guarded_output.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace fuzz {
namespace {

// A NaN in all three types.
constexpr std::uint8_t kUntouched = 0xFF;
// Around the tensor, for builds without ASan and for what jumps over its red zones.
constexpr std::size_t kGuardBytes = 4096;

float to_float(const std::uint8_t* bytes, freqlearn::DataType type) {
  if (type == freqlearn::DataType::float32) {
    float value = 0;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  std::uint16_t half = 0;
  std::memcpy(&half, bytes, sizeof half);
  if (type == freqlearn::DataType::bfloat16) return std::bit_cast<float>(std::uint32_t{half} << 16);
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  const float sign = (half & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  if (exponent < 31) return sign * std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return fraction == 0 ? sign * std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

GuardedOutput::GuardedOutput(const Execution& execution)
    : type_(execution.type),
      bad_(execution.bad_output),
      item_bytes_(execution.type == freqlearn::DataType::float32 ? 4 : 2),
      shape_(output_shape(execution)) {
  std::ptrdiff_t stride = 1, before = 0;
  for (std::size_t i = 3; i-- > 0;) {
    const auto axis = static_cast<std::size_t>(execution.axis_order[i]);
    stride *= 1 + execution.gaps[i];
    const auto size = std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(shape_[axis]));
    strides_[axis] = execution.backwards[i] ? -stride : stride;
    if (execution.backwards[i]) before += (size - 1) * stride;
    stride *= size;
  }
  // Not a byte more than the last element needs.
  std::size_t last = 0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    last += (std::max<std::size_t>(1, shape_[axis]) - 1) * static_cast<std::size_t>(std::abs(strides_[axis]));
  }
  memory_.assign(kGuardBytes + (last + 1) * item_bytes_, kUntouched);
  memory_.shrink_to_fit();
  first_ = kGuardBytes + static_cast<std::size_t>(before) * item_bytes_;
}

freqlearn::Output GuardedOutput::output() {
  freqlearn::Output output{.data = memory_.data() + first_,
                           .type = type_,
                           .channels = static_cast<std::int64_t>(shape_[0]),
                           .rows = static_cast<std::int64_t>(shape_[1]),
                           .cols = static_cast<std::int64_t>(shape_[2]),
                           .channel_stride = strides_[0],
                           .row_stride = strides_[1],
                           .col_stride = strides_[2]};
  switch (bad_) {
    case Execution::BadOutput::none: break;
    case Execution::BadOutput::other_channels: ++output.channels; break;
    case Execution::BadOutput::other_rows: ++output.rows; break;
    case Execution::BadOutput::other_cols: --output.cols; break;
    case Execution::BadOutput::null: output.data = nullptr; break;
    case Execution::BadOutput::overlapping: output.channel_stride = output.row_stride = output.col_stride = 0; break;
  }
  return output;
}

std::vector<std::size_t> GuardedOutput::places() const {
  std::vector<std::size_t> places;
  places.reserve(shape_[0] * shape_[1] * shape_[2]);
  for (std::size_t c = 0; c < shape_[0]; ++c) {
    for (std::size_t y = 0; y < shape_[1]; ++y) {
      for (std::size_t x = 0; x < shape_[2]; ++x) {
        const std::ptrdiff_t element = static_cast<std::ptrdiff_t>(c) * strides_[0] +
                                       static_cast<std::ptrdiff_t>(y) * strides_[1] +
                                       static_cast<std::ptrdiff_t>(x) * strides_[2];
        places.push_back(first_ + static_cast<std::size_t>(element) * item_bytes_);
      }
    }
  }
  return places;
}

bool GuardedOutput::untouched_outside() const {
  std::vector<std::uint8_t> rest = memory_;
  for (const std::size_t place : places()) {
    std::memset(rest.data() + place, kUntouched, item_bytes_);
  }
  return std::ranges::all_of(rest, [](std::uint8_t byte) { return byte == kUntouched; });
}

std::vector<float> GuardedOutput::values() const {
  std::vector<float> values;
  for (const std::size_t place : places()) values.push_back(to_float(memory_.data() + place, type_));
  return values;
}

}  // namespace fuzz
