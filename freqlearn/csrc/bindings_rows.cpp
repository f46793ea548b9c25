// decode_rows() for Python: what the fused path sees of a file, for tests and for looking at regions.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "block_rows.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace freqlearn {
namespace {

using RegionArray = nb::ndarray<nb::numpy, Coefficient, nb::ndim<4>>;
// row_begin, row_end, col_begin, col_end, coefficients
using RangeNumbers = std::array<std::uint64_t, 5>;

// Keeps every row, in natural order.
class Collector : public BlockRowSink {
 public:
  explicit Collector(const std::vector<RangeNumbers>& ranges) : blocks_(ranges.size()) {
    for (const auto& [row_begin, row_end, col_begin, col_end, coefficients] : ranges) {
      ranges_.push_back({.row_begin = row_begin,
                         .row_end = row_end,
                         .col_begin = col_begin,
                         .col_end = col_end,
                         .coefficients = coefficients});
    }
  }

  std::vector<BlockRange> wanted(const Info&) override { return ranges_; }

  void take(const BlockRow& row) override {
    rows_.emplace_back(row.component, row.row);
    std::vector<Coefficient>& blocks = blocks_[row.component];
    const std::size_t count = 64 * ranges_[row.component].cols();
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t place = i % 64, natural = place % 8 * 8 + place / 8;
      blocks.push_back(row.blocks[row.order == BlockOrder::natural ? i : i - place + natural]);
    }
  }

  [[nodiscard]] const std::vector<std::pair<std::size_t, std::size_t>>& rows() const { return rows_; }

  std::vector<RegionArray> arrays() {
    std::vector<RegionArray> arrays;
    for (std::size_t i = 0; i < ranges_.size(); ++i) {
      auto owned = std::make_unique<std::vector<Coefficient>>(std::move(blocks_[i]));
      Coefficient* values = owned->data();
      const std::size_t cols = ranges_[i].empty() ? 0 : ranges_[i].cols();
      const std::size_t rows = cols > 0 ? owned->size() / (64 * cols) : 0;
      const nb::capsule owner(owned.release(),
                              [](void* p) noexcept { delete static_cast<std::vector<Coefficient>*>(p); });
      arrays.emplace_back(values, std::initializer_list<std::size_t>{rows, cols, 8, 8}, owner);
    }
    return arrays;
  }

 private:
  std::vector<BlockRange> ranges_;
  std::vector<std::vector<Coefficient>> blocks_;
  std::vector<std::pair<std::size_t, std::size_t>> rows_;
};

}  // namespace

void bind_rows(nb::module_& m) {
  m.def(
      "decode_rows",
      [](nb::handle data, const std::vector<RangeNumbers>& ranges, std::uint64_t max_pixels,
         const std::optional<std::string>& instruction_set) {
        const InstructionSet set = find_instruction_set(instruction_set);
        Collector collector(ranges);
        without_gil(data, [&](Bytes bytes) {
          decode_rows(bytes, max_pixels, collector, set);
          return 0;
        });
        return std::pair(collector.arrays(), collector.rows());
      },
      "data"_a, "ranges"_a, nb::kw_only(), "max_pixels"_a, "instruction_set"_a = nb::none(),
      nb::sig("def decode_rows(data: " FREQLEARN_DATA_TYPE ", ranges: collections.abc.Sequence[tuple[int, int, int, "
              "int, int]], *, max_pixels: int, instruction_set: str | None = None) -> "
              "tuple[list[numpy.typing.NDArray[numpy.int16]], list[tuple[int, int]]]"),
      R"(Decodes a region of each component, as the fused path does.

Args:
    data: A JPEG file, any contiguous one-dimensional buffer of bytes; not copied.
    ranges: One a component: rows and columns of blocks (row_begin, row_end, col_begin, col_end), and the coefficients
        that are wanted, bit 8 * v + u.
    max_pixels: Largest width times height that is accepted.
    instruction_set: One of instruction_sets(); None: the best.

Returns:
    One array a component, (rows, cols, 8, 8) int16, quantised, natural order; coefficients that are not wanted are
    right or zero. And (component, row) in the order in which the rows came.

Raises:
    JpegError: One of its subclasses, with the byte offset; damage outside of the ranges may go unseen.
    ValueError: If the ranges do not fit the file.)");
}

}  // namespace freqlearn
