#include "encoder.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>
#include <utility>

#include "encode_kernels.hpp"
#include "error.hpp"
#include "frame.hpp"
#include "sample_rows.hpp"

namespace freqlearn {
namespace {

constexpr std::size_t kMost = 65535;  // T.81 B.2.2

const EncodeKernels& kernels_of(InstructionSet set) {
#if FREQLEARN_X86_DISPATCH
  static constexpr ByInstructionSet<const EncodeKernels*> kKernels{
      &baseline::kEncodeKernels, &avx2::kEncodeKernels, &avx512::kEncodeKernels};
  return *kKernels[set];
#else
  static_cast<void>(set);
  return baseline::kEncodeKernels;
#endif
}

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  throw std::invalid_argument(join(parts...));
}

void check_component(const EncodedComponent& component) {
  if (component.h < 1 || component.h > 4 || component.v < 1 || component.v > 4) {
    refuse("expected sampling factors of 1 to 4, got ", component.h, "x", component.v);
  }
  if (std::ranges::find(component.quant_table, 0) != component.quant_table.end()) {
    refuse("expected quantisation tables with entries of 1 to 65535, got a zero");
  }
}

Frame checked_frame(const PixelView& pixels, std::span<const EncodedComponent> components) {
  if (pixels.channels != 1 && pixels.channels != 3) {
    refuse("expected pixels of 1 or 3 channels, got ", pixels.channels);
  }
  if (components.size() != pixels.channels) {
    refuse("expected ", pixels.channels, " components, got ", components.size());
  }
  if (pixels.width < 1 || pixels.width > kMost || pixels.height < 1 || pixels.height > kMost) {
    refuse("expected a picture of 1 to ", kMost, " px a side, as JPEG can say, got ", pixels.width, " x ",
           pixels.height);
  }
  Frame frame;
  frame.width = pixels.width;
  frame.height = pixels.height;
  for (const EncodedComponent& component : components) {
    check_component(component);
    frame.components.push_back({.h = component.h, .v = component.v});
  }
  set_block_counts(frame);
  for (const Component& component : frame.components) {
    if (frame.h_max % component.h != 0 || frame.v_max % component.v != 0) {
      refuse("expected sampling factors that divide the largest, ", frame.h_max, "x", frame.v_max, ", got ",
             component.h, "x", component.v);
    }
  }
  return frame;
}

// What libjpeg's jcdctmgr.c makes of a quantisation step: the transform's frequencies come times these numbers.
float factor_of(std::size_t v, std::size_t u, std::uint16_t step) {
  static constexpr std::array<double, 8> kScale = {1.0, 1.387039845, 1.306562965, 1.175875602,
                                                   1.0, 0.785694958, 0.541196100, 0.275899379};
  return static_cast<float>(1.0 / (static_cast<double>(step) * kScale[v] * kScale[u] * 8.0));
}

ForwardPlan plan_of(const EncodedComponent& component) {
  ForwardPlan plan{};
  for (std::size_t place = 0; place < 64; ++place) {
    if ((component.wanted >> place & 1) == 0) continue;
    plan.rows = place / 8 + 1;
    plan.columns = std::max(plan.columns, place % 8 + 1);
  }
  for (std::size_t v = 0; v < plan.rows; ++v) {
    for (std::size_t i = 0; i < kGroupBlocks * plan.columns; ++i) {
      const std::size_t place = 8 * v + i % plan.columns;
      const bool wanted = (component.wanted >> place & 1) != 0;
      plan.factors[v][i] = wanted ? factor_of(v, place % 8, component.quant_table[place]) : 0.0F;
    }
  }
  return plan;
}

class Encoder {
 public:
  Encoder(const PixelView& pixels, std::span<const EncodedComponent> components, const Frame& frame,
          const EncodeKernels& kernels)
      : frame_(frame), kernels_(kernels), samples_(pixels, frame, wanted(components), kernels) {
    for (std::size_t i = 0; i < components.size(); ++i) {
      plans_.push_back(plan_of(components[i]));
      const bool every_place = plans_[i].rows == 8 && plans_[i].columns == 8;
      planes_.emplace_back(frame.components[i].rows, frame.components[i].cols,
                           every_place ? Contents::unspecified : Contents::zeros);
    }
  }

  std::vector<Plane> encode() {
    const bool nothing = std::ranges::all_of(plans_, [](const ForwardPlan& plan) { return plan.rows == 0; });
    for (std::size_t mcu_row = 0; mcu_row < frame_.mcu_rows && !nothing; ++mcu_row) {
      samples_.load(mcu_row);
      for (std::size_t i = 0; i < planes_.size(); ++i) {
        if (plans_[i].rows > 0) transform(i, mcu_row);
      }
    }
    return std::move(planes_);
  }

 private:
  static std::array<bool, 3> wanted(std::span<const EncodedComponent> components) {
    std::array<bool, 3> wanted{};
    for (std::size_t i = 0; i < components.size(); ++i) wanted[i] = components[i].wanted != 0;
    return wanted;
  }

  void transform(std::size_t component, std::size_t mcu_row) {
    const Plane& plane = planes_[component];
    const auto rows = static_cast<std::size_t>(frame_.components[component].v);
    const std::size_t stride = samples_.stride(component), end = std::min(plane.rows(), rows * (mcu_row + 1));
    const std::uint8_t* lines = samples_.samples(component);
    for (std::size_t row = rows * mcu_row; row < end; ++row, lines += 8 * stride) {
      kernels_.transform(plans_[component], lines, stride, plane.cols(), plane.block(row, 0));
    }
  }

  const Frame& frame_;
  const EncodeKernels& kernels_;
  SampleRows samples_;
  std::vector<ForwardPlan> plans_;
  std::vector<Plane> planes_;
};

}  // namespace

std::vector<Plane> encode_pixels(const PixelView& pixels, std::span<const EncodedComponent> components,
                                 InstructionSet set) {
  const Frame frame = checked_frame(pixels, components);
  return Encoder(pixels, components, frame, kernels_of(set)).encode();
}

}  // namespace freqlearn
