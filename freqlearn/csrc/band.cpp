#include "band.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace freqlearn {
namespace {

DctMatrix make_dct_matrix() {
  DctMatrix matrix;
  for (int k = 0; k < 8; ++k) {
    for (int n = 0; n < 8; ++n) {
      matrix[k][n] = std::cos((2 * n + 1) * k * std::numbers::pi / 16) / 2 / (k == 0 ? std::numbers::sqrt2 : 1.0);
    }
  }
  return matrix;
}

// [sample][frequency].
DctMatrix transposed(const DctMatrix& matrix) {
  DctMatrix result;
  for (int k = 0; k < 8; ++k) {
    for (int n = 0; n < 8; ++n) result[n][k] = matrix[k][n];
  }
  return result;
}

// Not at first use: see cpu.cpp.
const DctMatrix kDct = make_dct_matrix(), kTransposedDct = transposed(kDct);

}  // namespace

const DctMatrix& dct_matrix() { return kDct; }

std::size_t Band::place(int frequency) const {
  return static_cast<std::size_t>(std::find(frequencies_.begin(), frequencies_.end(), frequency) -
                                  frequencies_.begin());
}

std::size_t Band::bytes() const {
  return weights_.capacity() * sizeof(float) + spans_.capacity() * sizeof(TapSpan) +
         (pixel_weights_.capacity() + sums_.capacity()) * sizeof(double);
}

bool Band::is_of(const Axis& axis, const std::vector<int>& frequencies, bool flipped) const {
  return axis == axis_ && frequencies == frequencies_ && flipped == flipped_ && inputs_.size() == 8;
}

void Band::build(const Axis& axis, const std::vector<int>& frequencies, bool flipped, const Kernels& kernels) {
  axis_ = axis;
  frequencies_ = frequencies;
  flipped_ = flipped;
  spans_.assign(static_cast<std::size_t>(axis.blocks), TapSpan{0, 0, 0});
  weights_.clear();
  inputs_ = {0, 1, 2, 3, 4, 5, 6, 7};
  if (const auto first = axis.aligned_block()) {
    build_aligned(*first);
  } else {
    build_resized(kernels);
  }
  summarise();
}

// Ones and zeros, so that the output is the file's coefficients to the last bit.
void Band::build_aligned(std::int64_t first) {
  weights_.assign(8 * frequencies_.size(), 0.0F);
  for (std::size_t f = 0; f < frequencies_.size(); ++f) {
    weights_[8 * f + static_cast<std::size_t>(frequencies_[f])] = static_cast<float>(sign(f));
  }
  for (std::size_t block = 0; block < spans_.size(); ++block) {
    spans_[output_place(block)] = {static_cast<std::uint32_t>(first + static_cast<std::int64_t>(block)), 1, 0};
  }
}

void Band::build_resized(const Kernels& kernels) {
  const PixelWeights pixels(axis_);
  pixel_weights_.resize(8 * pixels.most());
  double forward[64] = {};
  for (std::size_t p = 0; p < 8; ++p) {
    for (std::size_t f = 0; f < frequencies_.size(); ++f) {
      forward[8 * p + f] = sign(f) * kDct[static_cast<std::size_t>(frequencies_[f])][p];
    }
  }
  BlockTaps taps{};
  taps.frequencies = frequencies_.size();
  taps.forward = forward;
  taps.inverse = kTransposedDct[0].data();
  for (std::size_t p = 0; p < 8; ++p) taps.weights[p] = &pixel_weights_[p * pixels.most()];

  const std::int64_t shown_start = std::max<std::int64_t>(axis_.visible_start, 0);
  const std::int64_t shown_stop = std::min(axis_.visible_stop, kBlockSide * axis_.blocks);
  for (std::int64_t block = shown_start / kBlockSide; kBlockSide * block < shown_stop; ++block) {
    const std::int64_t begin = std::max(shown_start, kBlockSide * block);
    const std::int64_t end = std::min(shown_stop, kBlockSide * block + kBlockSide);
    std::int64_t first[8] = {};
    for (std::int64_t pixel = begin; pixel < end; ++pixel) {
      const auto p = static_cast<std::size_t>(pixel % kBlockSide);
      first[p] = pixels.write(pixel, &pixel_weights_[p * pixels.most()], taps.count[p]);
    }
    // Samples follow pixels: the first of the first, and the last of the last, are the outermost.
    const auto front = static_cast<std::size_t>(begin % kBlockSide);
    const auto back = static_cast<std::size_t>((end - 1) % kBlockSide);
    const std::int64_t low = first[front], high = first[back] + taps.count[back];
    const std::int64_t first_block = low / kBlockSide;
    for (std::size_t p = 0; p < 8; ++p) {
      const bool shown = front <= p && p <= back;
      taps.first[p] = shown ? static_cast<std::uint32_t>(first[p] - kBlockSide * first_block) : 0;
      if (!shown) taps.count[p] = 0;
    }
    taps.begin = static_cast<std::uint32_t>(low - kBlockSide * first_block);
    taps.end = static_cast<std::uint32_t>(high - kBlockSide * first_block);
    taps.blocks = (taps.end + 7) / 8;
    spans_[output_place(static_cast<std::size_t>(block))] = {
        static_cast<std::uint32_t>(first_block), static_cast<std::uint32_t>(taps.blocks), weights_.size()};
    weights_.resize(weights_.size() + 8 * taps.blocks * taps.frequencies);
    if (sums_.size() < 64 * taps.blocks) sums_.resize(64 * taps.blocks);
    kernels.weigh(taps, sums_.data(), weights_.data() + weights_.size() - 8 * taps.blocks * taps.frequencies);
  }
}

void Band::summarise() {
  begin_ = std::numeric_limits<std::size_t>::max();
  end_ = most_blocks_ = 0;
  for (const TapSpan& span : spans_) {
    if (span.count == 0) continue;
    begin_ = std::min<std::size_t>(begin_, span.first);
    end_ = std::max<std::size_t>(end_, std::size_t{span.first} + span.count);
    most_blocks_ = std::max<std::size_t>(most_blocks_, span.count);
  }
  begin_ = std::min(begin_, end_);
  float most[8] = {};
  for (const TapSpan& span : spans_) {
    const float* weight = weights_.data() + span.weights;
    for (std::size_t f = 0; f < frequencies_.size(); ++f) {
      float sums[8] = {};
      for (std::size_t block = 0; block < span.count; ++block, weight += 8) {
        for (std::size_t u = 0; u < 8; ++u) sums[u] += std::abs(weight[u]);
      }
      for (std::size_t u = 0; u < 8; ++u) most[u] = std::max(most[u], sums[u]);
    }
  }
  std::copy(std::begin(most), std::end(most), influence_.begin());
}

std::array<double, 8> Band::peak() const {
  std::array<double, 8> most{};
  const std::size_t kept = inputs_.size();
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    double& highest = most[inputs_[i % kept]];
    highest = std::max<double>(highest, std::abs(weights_[i]));
  }
  return most;
}

void Band::clear() {
  std::fill(spans_.begin(), spans_.end(), TapSpan{0, 0, 0});
  weights_.clear();
  summarise();
}

void Band::keep(unsigned inputs) {
  inputs_.clear();
  for (std::uint8_t u = 0; u < 8; ++u) {
    if ((inputs >> u & 1) != 0) inputs_.push_back(u);
  }
  if (inputs_.size() == 8) return;
  std::size_t at = 0;
  for (std::size_t i = 0; i < weights_.size(); i += 8) {
    for (const std::uint8_t u : inputs_) weights_[at++] = weights_[i + u];
  }
  weights_.resize(at);
  for (TapSpan& span : spans_) span.weights = span.weights / 8 * inputs_.size();
}

}  // namespace freqlearn
