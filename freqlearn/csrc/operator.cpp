#include "operator.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "error.hpp"

namespace freqlearn {
namespace {

const Kernels& kernels_of(InstructionSet set) {
#if FREQLEARN_X86_DISPATCH
  static constexpr ByInstructionSet<const Kernels*> kAll{&baseline::kKernels, &avx2::kKernels, &avx512::kKernels};
  return *kAll[set];
#else
  static_cast<void>(set);
  return baseline::kKernels;
#endif
}

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  throw std::invalid_argument(join(parts...));
}

Output in_stored_frame(Output output, bool transposed) {
  if (transposed) {
    std::swap(output.rows, output.cols);
    std::swap(output.row_stride, output.col_stride);
  }
  return output;
}

// A constant is a DC of 8 times its value.
constexpr double kDcOfOne = 8.0;

}  // namespace

std::size_t Scratch::bytes() const {
  std::size_t sum = 0;
  for (const PlanePass& pass : passes) sum += pass.bytes();
  return sum;
}

Operator::Operator(const Plan& plan, const Target& target, const Output& output, InstructionSet set, Scratch& scratch)
    : plan_(plan),
      target_(target),
      output_(in_stored_frame(output, plan.transposed)),
      kernels_(kernels_of(set)),
      scratch_(scratch),
      writer_(output_, scratch.coverage, kernels_),
      flip_rows_(plan.transposed ? plan.flip_horizontal : plan.flip_vertical),
      flip_cols_(plan.transposed ? plan.flip_vertical : plan.flip_horizontal) {
  check(plan);
  check_target();
  check_output();
  for (std::size_t i = 0; i < target.channels.size(); ++i) {
    const int channel = target.channels[i], v = channel % 64 / 8, u = channel % 8;
    channels_.push_back({channel / 64, plan.transposed ? u : v, plan.transposed ? v : u, i});
  }
  for (const ColorStep& step : plan.colors) {
    if (step.kind == ColorStep::Kind::contrast) contrasts_.push_back(&step.geometry);
  }
}

void Operator::check_target() const {
  const std::size_t count = target_.channels.size();
  if (target_.mean.size() != count || target_.std.size() != count) {
    refuse("expected a mean and a std for each of ", count, " channels, got ", target_.mean.size(), " and ",
           target_.std.size());
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (target_.channels[i] < 0 || target_.channels[i] >= 192) {
      refuse("expected channels 0 to 191 (64 * component + 8 * v + u), got ", target_.channels[i]);
    }
    if (!std::isfinite(target_.mean[i]) || !std::isfinite(target_.std[i]) || target_.std[i] <= 0.0) {
      refuse("expected a finite mean and a positive std for channel ", target_.channels[i], ", got ", target_.mean[i],
             " and ", target_.std[i]);
    }
  }
  if (!(target_.tolerance >= 0.0)) refuse("expected a tolerance of 0 or more, got ", target_.tolerance);
}

void Operator::check_output() const {
  const Box& window = plan_.geometry.window;
  if (window.height % kBlockSide != 0 || window.width % kBlockSide != 0) {
    std::int64_t height = window.height, width = window.width;
    if (plan_.transposed) std::swap(height, width);
    const auto whole = [](std::int64_t px) { return (px + kBlockSide - 1) / kBlockSide * kBlockSide; };
    refuse("expected a picture of whole 8x8 blocks, got ", height, "x", width,
           " px (height x width) after its transforms; end with a crop or resize to multiples of 8, for instance "
           "CenterCrop((", whole(height), ", ", whole(width), "))");
  }
  const std::int64_t rows = window.height / kBlockSide, cols = window.width / kBlockSide;
  const auto channels = static_cast<std::int64_t>(target_.channels.size());
  if (output_.channels != channels || output_.rows != rows || output_.cols != cols) {
    refuse("expected memory for ", channels, " channels of ", rows, "x", cols,
           " blocks (in the stored picture's frame), got ", output_.channels, " of ", output_.rows, "x", output_.cols);
  }
  const bool overlaps = (channels > 1 && output_.channel_stride == 0) || (rows > 1 && output_.row_stride == 0) ||
                        (cols > 1 && output_.col_stride == 0);
  if (overlaps) {
    refuse("expected memory of its own for every value, got a stride of 0: pass a tensor that owns its memory");
  }
  if (output_.data == nullptr && channels > 0) refuse("expected memory for the result, got a null pointer");
}

void Operator::check_picture(const Info& info) const {
  const Frame& frame = info.frame;
  if (static_cast<std::int64_t>(frame.height) != plan_.height ||
      static_cast<std::int64_t>(frame.width) != plan_.width) {
    refuse("expected a picture of the plan's size, ", plan_.height, "x", plan_.width, " px (height x width), got ",
           frame.height, "x", frame.width, ": make the plan for this picture");
  }
  const auto& components = frame.components;
  const std::size_t count = components.size();
  bool fits = info.color_space == "gray" ? count == 1 : info.color_space == "YCbCr" && count == 3;
  if (info.color_space == "RGB" && count == 3) {
    fits = std::all_of(components.begin(), components.end(),
                       [&](const Component& c) { return c.h == components[0].h && c.v == components[0].v; });
  }
  if (!fits) {
    std::string sampling;
    for (const Component& c : components) sampling += join(sampling.empty() ? "" : ", ", c.h, "x", c.v);
    refuse("expected gray, YCbCr or equally sampled RGB planes, got ", info.color_space, ", sampling ", sampling,
           ": read the file with decoder='pixels' (decoder='auto' does so by itself)");
  }
}

void Operator::plan_colors(const Info& info) {
  color_ = compose(plan_.colors, std::vector<LumaMean>(contrasts_.size()));
  const bool rgb = info.color_space == "RGB";
  mix_ = rgb ? color_.matrix * kRgbToYcbcr : color_.matrix;
  if (rgb) luma_ = kRgbToYcbcr[0];
}

bool Operator::uses(int component, std::size_t plane) const {
  return plane < planes_ && mix_[static_cast<std::size_t>(component)][plane] != 0.0;
}

bool Operator::is_direct(int component) const {
  if (component == 0 && !contrasts_.empty()) return false;
  for (std::size_t plane = 0; plane < 3; ++plane) {
    if (uses(component, plane) != (plane == static_cast<std::size_t>(component))) return false;
  }
  return true;
}

std::vector<BlockRange> Operator::wanted(const Info& info) {
  check_picture(info);
  planes_ = info.frame.components.size();
  plan_colors(info);
  if (!channels_.empty()) scratch_.coverage.build(plan_.geometry, flip_rows_, flip_cols_);
  for (std::size_t plane = 0; plane < planes_; ++plane) plan_plane(plane, info);
  // Only now: bands that leave something out cannot be shared.
  std::vector<BlockRange> ranges(planes_, BlockRange{});
  for (std::size_t plane = 0; plane < planes_; ++plane) {
    if (active_[plane]) ranges[plane] = scratch_.passes[plane].start(info.quant_tables[plane], target_.tolerance);
  }
  return ranges;
}

std::array<double, 64> Operator::peak(std::size_t plane) const {
  return active_[plane] ? scratch_.passes[plane].peak() : std::array<double, 64>{};
}

void Operator::plan_plane(std::size_t plane, const Info& info) {
  bool some_v[8] = {}, some_u[8] = {}, some = false;
  for (const Channel& channel : channels_) {
    if (!uses(channel.component, plane)) continue;
    some = some_v[channel.v] = some_u[channel.u] = true;
  }
  const bool has_sums = !contrasts_.empty() && luma_[plane] != 0.0 && !channels_.empty();
  active_[plane] = some || has_sums;
  if (!active_[plane]) return;

  std::vector<int> v, u;
  for (int frequency = 0; frequency < 8; ++frequency) {
    if (some_v[frequency]) v.push_back(frequency);
    if (some_u[frequency]) u.push_back(frequency);
  }
  PlanePass& pass = scratch_.passes[plane];
  const Component& component = info.frame.components[plane];
  const PlanePass* like = plane > 0 && active_[plane - 1] ? &scratch_.passes[plane - 1] : nullptr;
  pass.begin(axes_of(plan_.geometry, component, info.frame), v, u, flip_rows_, flip_cols_, kernels_, like);
  for (const Channel& channel : channels_) {
    if (!uses(channel.component, plane)) continue;
    if (is_direct(channel.component)) {
      pass.add_direct(channel.v, channel.u, channel.index, finish_of(channel, mix_[plane][plane]));
    } else {
      pass.add_map(channel.v, channel.u);
    }
  }
  if (!has_sums) return;
  for (const Geometry* stage : contrasts_) {
    pass.add_sum(PlaneSum(axes_of(*stage, component, info.frame), luma_[plane]));
  }
}

// (share * value + colour's constant - mean) / std.
Finish Operator::finish_of(const Channel& channel, double share) const {
  const auto component = static_cast<std::size_t>(channel.component);
  const double offset = color_.offset[component], outside = color_.outside[component];
  const double mean = target_.mean[channel.index], scale = 1.0 / target_.std[channel.index];
  const bool padded = scratch_.coverage.is_padded();
  // offset where the picture is, outside elsewhere: (offset - outside) * coverage + outside.
  const double constant = channel.v == 0 && channel.u == 0 ? kDcOfOne * (padded ? outside : offset) : 0.0;
  return {.scale = share * scale,
          .bias = (constant - mean) * scale,
          .coverage_scale = padded ? (offset - outside) * scale : 0.0};
}

void Operator::take(const BlockRow& row) {
  if (row.component >= planes_ || !active_[row.component]) return;
  scratch_.passes[row.component].take(row, kernels_, writer_);
}

void Operator::take_dequantised(std::size_t component, std::size_t row, const float* blocks) {
  if (component >= planes_ || !active_[component]) return;
  scratch_.passes[component].take_dequantised(row, blocks, kernels_, writer_);
}

void Operator::finish() {
  for (std::size_t plane = 0; plane < planes_; ++plane) {
    if (active_[plane]) scratch_.passes[plane].finish(kernels_, writer_);
  }
  if (!contrasts_.empty() && !channels_.empty()) color_ = compose(plan_.colors, luma_means());
  for (const Channel& channel : channels_) {
    if (!is_direct(channel.component)) finish_mixed(channel);
  }
}

std::vector<LumaMean> Operator::luma_means() const {
  std::vector<LumaMean> means;
  for (std::size_t i = 0; i < contrasts_.size(); ++i) {
    const Geometry& stage = *contrasts_[i];
    const double pixels = static_cast<double>(stage.visible.height) * static_cast<double>(stage.visible.width);
    const double window = static_cast<double>(stage.window.height) * static_cast<double>(stage.window.width);
    double total = 0.0;
    for (std::size_t plane = 0; plane < planes_; ++plane) {
      if (active_[plane] && luma_[plane] != 0.0) total += scratch_.passes[plane].sums()[i].total();
    }
    means.push_back({.value = pixels > 0.0 ? total / pixels : 0.0, .share = pixels / window});
  }
  return means;
}

void Operator::finish_mixed(const Channel& channel) {
  const Finish finish = finish_of(channel, 1.0);
  const auto rows = static_cast<std::size_t>(output_.rows), cols = static_cast<std::size_t>(output_.cols);
  std::vector<float> values(cols);
  for (std::size_t row = 0; row < rows; ++row) {
    std::fill(values.begin(), values.end(), 0.0F);
    for (std::size_t plane = 0; plane < planes_; ++plane) {
      if (!uses(channel.component, plane)) continue;
      const auto share = static_cast<float>(mix_[static_cast<std::size_t>(channel.component)][plane]);
      const float* map = scratch_.passes[plane].map(channel.v, channel.u) + row * cols;
      for (std::size_t col = 0; col < cols; ++col) values[col] += share * map[col];
    }
    writer_.write(channel.index, channel.v, channel.u, row, values.data(), finish);
  }
}

}  // namespace freqlearn
