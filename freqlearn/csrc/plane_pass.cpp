#include "plane_pass.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "error.hpp"

namespace freqlearn {
namespace {

constexpr std::size_t kMostFloats = std::size_t{1} << 28;  // 1 GiB: ordinary plans need some hundred kB

// The product, which is what a buffer needs.
std::size_t checked(std::size_t a, std::size_t b, std::size_t c) {
  const double floats = static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
  if (floats > static_cast<double>(kMostFloats)) {
    throw std::invalid_argument(join("expected a plan that needs at most ", kMostFloats,
                                     " numbers between its two passes, got one for ", floats,
                                     ": resize both axes by similar factors, or to a smaller picture"));
  }
  return a * b * c;
}

std::size_t whole_rows(std::size_t floats) { return (floats + kRowFloats - 1) / kRowFloats * kRowFloats; }

}  // namespace

void ChannelWriter::write(std::size_t channel, int v, int u, std::size_t row, const float* values,
                          const Finish& finish) const {
  const auto element = static_cast<std::ptrdiff_t>(channel) * output_.channel_stride +
                       static_cast<std::ptrdiff_t>(row) * output_.row_stride;
  const std::ptrdiff_t bytes = output_.type == DataType::float32 ? 4 : 2;
  const bool covered = coverage_.is_padded() && finish.coverage_scale != 0.0;
  const double down = covered ? coverage_.down(v, row) : 0.0;
  kernels_.finish({.values = values,
                   .coverage = covered ? coverage_.across(u) : nullptr,
                   .count = static_cast<std::size_t>(output_.cols),
                   .scale = static_cast<float>(finish.scale),
                   .bias = static_cast<float>(finish.bias),
                   .coverage_scale = static_cast<float>(finish.coverage_scale * down),
                   .data = static_cast<char*>(output_.data) + element * bytes,
                   .stride = output_.col_stride,
                   .type = output_.type});
}

void PlanePass::begin(const Axes& axes, const std::vector<int>& v, const std::vector<int>& u, bool flip_rows,
                      bool flip_cols, const Kernels& kernels, const PlanePass* like) {
  flip_rows_ = flip_rows;
  direct_.clear();
  maps_.clear();
  sums_.clear();
  has_table_ = false;
  arrived_ = emitted_ = 0;
  if (like != nullptr && like->rows_.is_of(axes.rows, v, flip_rows)) {
    rows_ = like->rows_;
  } else {
    rows_.build(axes.rows, v, flip_rows, kernels);
  }
  if (like != nullptr && like->cols_.is_of(axes.cols, u, flip_cols)) {
    cols_ = like->cols_;
  } else {
    cols_.build(axes.cols, u, flip_cols, kernels);
  }
}

void PlanePass::add_direct(int v, int u, std::size_t channel, const Finish& finish) {
  direct_.push_back({v, u, rows_.place(v), cols_.place(u), channel, finish});
}

void PlanePass::add_map(int v, int u) {
  if (map(v, u) == nullptr) maps_.push_back({v, u, rows_.place(v), cols_.place(u)});
}

const float* PlanePass::map(int v, int u) const {
  const auto found = std::find_if(maps_.begin(), maps_.end(), [=](const Map& m) { return m.v == v && m.u == u; });
  if (found == maps_.end()) return nullptr;
  const std::size_t blocks = rows_.spans().size() * cols_.spans().size();
  return map_values_.data() + static_cast<std::size_t>(found - maps_.begin()) * blocks;
}

// Bit 8 * v + u. The DC is never small: without it there is no picture.
std::uint64_t PlanePass::needed(const QuantTable& table, double tolerance) const {
  if (!sums_.empty()) return ~std::uint64_t{0};
  const bool known = std::any_of(table.begin(), table.end(), [](std::uint16_t step) { return step != 0; });
  std::uint64_t bits = 0;
  for (std::size_t v = 0; v < 8; ++v) {
    for (std::size_t u = 0; u < 8; ++u) {
      const double influence = rows_.influence()[v] * cols_.influence()[u];
      const bool small = known && v + u > 0 && influence * table[8 * v + u] < tolerance;
      if (influence > 0.0 && !small) bits |= std::uint64_t{1} << (8 * v + u);
    }
  }
  return bits;
}

BlockRange PlanePass::start(const QuantTable& table, double tolerance) {
  const std::uint64_t coefficients = needed(table, tolerance);
  const bool some = rows_.begin() < rows_.end() && cols_.begin() < cols_.end() && !rows_.frequencies().empty();
  if (!some || coefficients == 0) {
    rows_.clear();
    cols_.clear();
  }
  range_ = {rows_.begin(), rows_.end(), cols_.begin(), cols_.end(), coefficients};
  unsigned some_v = 0, some_u = 0;
  for (unsigned i = 0; i < 64; ++i) {
    if ((range_.coefficients >> i & 1) == 0) continue;
    some_v |= 1U << i / 8;
    some_u |= 1U << i % 8;
  }
  rows_.keep(some_v);
  cols_.keep(some_u);

  const std::size_t floats = whole_rows(checked(cols_.frequencies().size(), cols_.spans().size(), 1));
  row_floats_ = floats;
  ring_rows_ = rows_.most_blocks();
  ring_.at_least(checked(ring_rows_, rows_.inputs().size(), floats));
  values_.at_least(checked(rows_.frequencies().size(), floats, 1));
  map_values_.at_least(checked(maps_.size(), rows_.spans().size(), cols_.spans().size()));

  for (const PlaneSum& sum : sums_) {
    if (sum.row_begin() == sum.row_end()) continue;
    const BlockRange own = range_;
    range_ = {sum.row_begin(), sum.row_end(), sum.col_begin(), sum.col_end(), own.coefficients};
    if (own.empty()) continue;
    range_.row_begin = std::min(range_.row_begin, own.row_begin);
    range_.row_end = std::max(range_.row_end, own.row_end);
    range_.col_begin = std::min(range_.col_begin, own.col_begin);
    range_.col_end = std::max(range_.col_end, own.col_end);
  }
  x_.at_least(checked(range_.cols(), 64, 1));
  return range_;
}

std::array<double, 64> PlanePass::peak() const {
  std::array<double, 64> most;
  most.fill(std::numeric_limits<double>::infinity());
  if (!sums_.empty()) return most;
  const std::array<double, 8> down = rows_.peak(), across = cols_.peak();
  for (std::size_t i = 0; i < 64; ++i) most[i] = down[i / 8] * across[i % 8];
  return most;
}

void PlanePass::set_table(const QuantTable* table) {
  if (has_table_) return;
  for (std::size_t i = 0; i < 64; ++i) {
    const float step = table == nullptr ? 1.0F : (*table)[i];
    table_[i % 8 * 8 + i / 8] = (range_.coefficients >> i & 1) != 0 ? step : 0.0F;
  }
  has_table_ = true;
}

void PlanePass::take(const BlockRow& row, const Kernels& kernels, const ChannelWriter& writer) {
  set_table(row.quant_table);
  kernels.dequantise(row.blocks, range_.cols(), row.order == BlockOrder::transposed, table_.data(),
                     cols_.inputs().data(), cols_.inputs().size(), x_.data());
  advance(row.row, kernels, writer);
}

void PlanePass::take_dequantised(std::size_t row, const float* blocks, const Kernels& kernels,
                                 const ChannelWriter& writer) {
  set_table(nullptr);
  kernels.rearrange(blocks, range_.cols(), table_.data(), cols_.inputs().data(), cols_.inputs().size(), x_.data());
  advance(row, kernels, writer);
}

void PlanePass::advance(std::size_t row, const Kernels& kernels, const ChannelWriter& writer) {
  for (PlaneSum& sum : sums_) sum.add(row, x_.data(), range_.col_begin, kernels);
  if (row < rows_.begin() || row >= rows_.end()) return;
  kernels.horizontal({.x = x_.data(),
                      .spans = cols_.spans().data(),
                      .spans_count = cols_.spans().size(),
                      .first = range_.col_begin,
                      .weights = cols_.weights().data(),
                      .frequencies = cols_.frequencies().size(),
                      .inputs = cols_.inputs().size(),
                      .kept_v = rows_.inputs().data(),
                      .kept_v_count = rows_.inputs().size(),
                      .h = ring_.data() + row % ring_rows_ * rows_.inputs().size() * row_floats_,
                      .stride = row_floats_});
  arrived_ = row + 1;
  emit_ready(kernels, writer);
}

// Output rows in the order in which the input rows that they need are complete.
void PlanePass::emit_ready(const Kernels& kernels, const ChannelWriter& writer) {
  const std::size_t count = rows_.spans().size();
  for (; emitted_ < count; ++emitted_) {
    const std::size_t block_row = flip_rows_ ? count - 1 - emitted_ : emitted_;
    const TapSpan& span = rows_.spans()[block_row];
    if (span.count > 0 && std::size_t{span.first} + span.count > arrived_) return;
    emit(block_row, kernels, writer);
  }
}

void PlanePass::emit(std::size_t block_row, const Kernels& kernels, const ChannelWriter& writer) {
  const TapSpan& span = rows_.spans()[block_row];
  const std::size_t inputs = rows_.inputs().size();
  taps_.clear();
  for (std::size_t k = 0; k < span.count; ++k) {
    const float* slot = ring_.data() + (span.first + k) % ring_rows_ * inputs * row_floats_;
    for (std::size_t v = 0; v < inputs; ++v) taps_.push_back(slot + v * row_floats_);
  }
  kernels.vertical(taps_.data(), taps_.size(), rows_.weights().data() + span.weights, rows_.frequencies().size(),
                   row_floats_, values_.data());
  const std::size_t cols = cols_.spans().size();
  for (const Direct& d : direct_) {
    writer.write(d.channel, d.v, d.u, block_row, values_.data() + d.v_place * row_floats_ + d.u_place * cols, d.finish);
  }
  std::size_t map_row = block_row;
  for (const Map& m : maps_) {
    std::copy_n(values_.data() + m.v_place * row_floats_ + m.u_place * cols, cols, map_values_.data() + map_row * cols);
    map_row += rows_.spans().size();
  }
}

void PlanePass::finish(const Kernels& kernels, const ChannelWriter& writer) {
  emit_ready(kernels, writer);
  if (emitted_ < rows_.spans().size()) {
    throw std::logic_error(join("the decoder left out rows of blocks: expected ", rows_.end(), ", got ", arrived_));
  }
}

std::size_t PlanePass::bytes() const {
  return rows_.bytes() + cols_.bytes() + x_.bytes() + ring_.bytes() + values_.bytes() + map_values_.bytes();
}

}  // namespace freqlearn
