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

const DctMatrix& transposed_dct_matrix() {
  static const DctMatrix matrix = transposed(dct_matrix());
  return matrix;
}

}  // namespace

const DctMatrix& dct_matrix() {
  static const DctMatrix matrix = make_dct_matrix();
  return matrix;
}

std::size_t Band::place(int frequency) const {
  return static_cast<std::size_t>(std::find(frequencies_.begin(), frequencies_.end(), frequency) -
                                  frequencies_.begin());
}

std::size_t Band::bytes() const {
  return weights_.capacity() * sizeof(float) + spans_.capacity() * sizeof(TapSpan) +
         (pixel_weights_.capacity() + sample_weights_.capacity()) * sizeof(double);
}

bool Band::is_of(const Axis& axis, const std::vector<int>& frequencies, bool flipped) const {
  return axis == axis_ && frequencies == frequencies_ && flipped == flipped_ && inputs_.size() == 8;
}

void Band::build(const Axis& axis, const std::vector<int>& frequencies, bool flipped) {
  axis_ = axis;
  frequencies_ = frequencies;
  flipped_ = flipped;
  spans_.assign(static_cast<std::size_t>(axis.blocks), TapSpan{0, 0, 0});
  weights_.clear();
  inputs_ = {0, 1, 2, 3, 4, 5, 6, 7};
  if (const auto first = axis.aligned_block()) {
    build_aligned(*first);
  } else {
    build_resized();
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

void Band::build_resized() {
  const PixelWeights pixels(axis_);
  pixel_weights_.resize(static_cast<std::size_t>(kBlockSide) * pixels.most());
  for (std::int64_t block = 0; block < axis_.blocks; ++block) {
    add_block(output_place(static_cast<std::size_t>(block)), pixels, block);
  }
}

void Band::add_block(std::size_t place, const PixelWeights& pixels, std::int64_t block) {
  std::int64_t first[kBlockSide] = {};
  std::size_t count[kBlockSide] = {};
  std::int64_t low = std::numeric_limits<std::int64_t>::max(), high = 0;
  for (std::int64_t p = 0; p < kBlockSide; ++p) {
    if (!axis_.shows(kBlockSide * block + p)) continue;
    first[p] = pixels.write(kBlockSide * block + p, &pixel_weights_[static_cast<std::size_t>(p) * pixels.most()],
                            count[p]);
    low = std::min(low, first[p]);
    high = std::max(high, first[p] + static_cast<std::int64_t>(count[p]));
  }
  if (high == 0) return;  // nothing but padding
  const std::int64_t first_block = low / kBlockSide;
  const auto blocks = static_cast<std::size_t>((high + kBlockSide - 1) / kBlockSide - first_block);
  const std::size_t frequencies = frequencies_.size(), samples = 8 * blocks;
  spans_[place] = {static_cast<std::uint32_t>(first_block), static_cast<std::uint32_t>(blocks), weights_.size()};

  // From samples to the wanted frequencies ...
  sample_weights_.assign(frequencies * samples, 0.0);
  const DctMatrix& dct = dct_matrix();
  for (std::size_t p = 0; p < 8; ++p) {
    const double* of_pixel = &pixel_weights_[p * pixels.most()];
    const auto at = static_cast<std::size_t>(first[p] - 8 * first_block);
    for (std::size_t f = 0; f < frequencies && count[p] > 0; ++f) {
      const double share = sign(f) * dct[static_cast<std::size_t>(frequencies_[f])][p];
      double* row = &sample_weights_[f * samples + at];
      for (std::size_t i = 0; i < count[p]; ++i) row[i] += share * of_pixel[i];
    }
  }
  // ... and from the input's coefficients to its samples.
  const DctMatrix& inverse = transposed_dct_matrix();
  const auto begin = static_cast<std::size_t>(low - 8 * first_block), end = static_cast<std::size_t>(high - 8 * first_block);
  weights_.resize(weights_.size() + frequencies * samples);
  float* out = weights_.data() + spans_[place].weights;
  for (std::size_t f = 0; f < frequencies; ++f) {
    const double* row = &sample_weights_[f * samples];
    for (std::size_t b = 0; b < blocks; ++b) {
      double sums[8] = {};
      const std::size_t stop = std::min(end, 8 * b + 8);
      for (std::size_t s = std::max(begin, 8 * b); s < stop; ++s) {
        for (std::size_t u = 0; u < 8; ++u) sums[u] += row[s] * inverse[s % 8][u];
      }
      for (std::size_t u = 0; u < 8; ++u) out[f * samples + 8 * b + u] = static_cast<float>(sums[u]);
    }
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
  float largest[8] = {};
  for (std::size_t i = 0; i < weights_.size(); i += 8) {
    for (std::size_t u = 0; u < 8; ++u) largest[u] = std::max(largest[u], std::abs(weights_[i + u]));
  }
  std::copy(std::begin(largest), std::end(largest), largest_.begin());
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
