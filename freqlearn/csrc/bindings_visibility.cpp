// What a model sees of a picture, for Python: which coefficients the operator reads, planes with these alone, and how
// far they are from the whole ones.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "kept_blocks.hpp"
#include "squared_difference.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace freqlearn {
namespace {

// Rows of blocks (first, end), columns (first, end), bits of the coefficients.
using Range = std::tuple<std::size_t, std::size_t, std::size_t, std::size_t, std::uint64_t>;
using TableArray = nb::ndarray<const std::uint16_t, nb::shape<8, 8>, nb::c_contig, nb::device::cpu>;
using StoredArray = nb::ndarray<const Coefficient, nb::shape<-1, -1, 8, 8>, nb::c_contig, nb::device::cpu>;

std::vector<Range> needed(const std::vector<nb::object>& blocks, const std::vector<nb::object>& tables,
                          const std::vector<std::pair<int, int>>& sampling, const std::string& color_space,
                          const Plan& plan, const Target& target) {
  const std::vector<StoredPlane> planes = planes_of(blocks, tables, sampling);
  const nb::gil_scoped_release release;
  std::vector<Range> ranges;
  for (const BlockRange& range : needed_blocks(planes, color_space, plan, target)) {
    const BlockRange some = range.empty() ? BlockRange{.coefficients = 0} : range;
    ranges.emplace_back(some.row_begin, some.row_end, some.col_begin, some.col_end, some.coefficients);
  }
  return ranges;
}

std::vector<std::array<double, 64>> peaks(const std::vector<nb::object>& blocks, const std::vector<nb::object>& tables,
                                          const std::vector<std::pair<int, int>>& sampling,
                                          const std::string& color_space, const Plan& plan, const Target& target) {
  const std::vector<StoredPlane> planes = planes_of(blocks, tables, sampling);
  const nb::gil_scoped_release release;
  return peak_weights(planes, color_space, plan, target);
}

PlaneArray kept(const StoredArray& blocks, const Range& range, const std::optional<TableArray>& smallest) {
  const auto [row_begin, row_end, col_begin, col_end, coefficients] = range;
  const std::size_t rows = blocks.shape(0), cols = blocks.shape(1);
  if (row_begin > row_end || row_end > rows || col_begin > col_end || col_end > cols) {
    throw std::invalid_argument(join("expected a range of blocks within the plane's ", rows, "x", cols, ", got rows ",
                                     row_begin, " to ", row_end, ", columns ", col_begin, " to ", col_end));
  }
  Plane plane;
  {
    std::array<std::uint16_t, 64> least{};
    if (smallest) std::copy_n(smallest->data(), 64, least.begin());
    const nb::gil_scoped_release release;
    plane = kept_blocks(blocks.data(), rows, cols, {row_begin, row_end, col_begin, col_end, coefficients}, least);
  }
  return plane_array(plane);
}

std::pair<std::array<std::uint64_t, 64>, std::size_t> difference(const StoredArray& ours, const StoredArray& theirs,
                                                                 bool only_left) {
  const std::size_t rows = ours.shape(0), cols = ours.shape(1);
  if (theirs.shape(0) != rows || theirs.shape(1) != cols) {
    throw std::invalid_argument(join("expected two planes of the same size, got ", rows, "x", cols, " and ",
                                     theirs.shape(0), "x", theirs.shape(1), " blocks"));
  }
  const nb::gil_scoped_release release;
  const SquaredDifference result = squared_difference(ours.data(), theirs.data(), rows * cols, only_left);
  return {result.sums, result.blocks};
}

}  // namespace

void bind_visibility(nb::module_& m) {
  m.def("needed_blocks", needed, "planes"_a, "quant_tables"_a, "sampling"_a, "color_space"_a, "plan"_a, "target"_a,
        nb::sig("def needed_blocks(planes: collections.abc.Sequence[numpy.typing.NDArray[typing.Any]], quant_tables: "
                "collections.abc.Sequence[numpy.typing.NDArray[numpy.uint16] | None], sampling: "
                "collections.abc.Sequence[tuple[int, int]], color_space: str, plan: Plan, target: Target) -> "
                "list[tuple[int, int, int, int, int]]"),
        R"(What execute_planes reads of planes: all else may be zero, and the result is the same to the bit.

Args:
    planes: As for execute_planes.
    quant_tables: As for execute_planes.
    sampling: As for execute_planes.
    color_space: As for execute_planes.
    plan: For the planes' picture.
    target: The wanted channels, and the tolerance.

Returns:
    Of each plane: first row, end of rows, first column and end of columns of the blocks, and which of their
    coefficients, bit 8 * v + u. All zero where nothing is read.

Raises:
    TypeError: If a plane is of another kind.
    ValueError: If the plan does not fit the planes.)");
  m.def("peak_weights", peaks, "planes"_a, "quant_tables"_a, "sampling"_a, "color_space"_a, "plan"_a, "target"_a,
        nb::sig("def peak_weights(planes: collections.abc.Sequence[numpy.typing.NDArray[typing.Any]], quant_tables: "
                "collections.abc.Sequence[numpy.typing.NDArray[numpy.uint16] | None], sampling: "
                "collections.abc.Sequence[tuple[int, int]], color_space: str, plan: Plan, target: Target) -> "
                "list[list[float]]"),
        R"(How much one coefficient matters: the arguments are those of needed_blocks.

Returns:
    Of each plane 64 numbers, at 8 * v + u: by how much at most a value of the result changes, before it is
    standardised, where one dequantised coefficient of one block changes by 1. Of planes of RGB rather too much, and
    infinity where there is contrast in the plan.

Raises:
    TypeError: If a plane is of another kind.
    ValueError: If the plan does not fit the planes.)");
  m.def("kept_blocks", kept, "plane"_a.noconvert(), "range"_a, "smallest"_a.noconvert() = nb::none(),
        nb::sig("def kept_blocks(plane: numpy.typing.NDArray[numpy.int16], range: tuple[int, int, int, int, int], "
                "smallest: numpy.typing.NDArray[numpy.uint16] | None = None) -> numpy.typing.NDArray[numpy.int16]"),
        R"(A copy of a plane in which all is zero but what a range names.

Args:
    plane: (rows, cols, 8, 8) int16, contiguous, natural order.
    range: As needed_blocks returns it.
    smallest: (8, 8) uint16, natural order: what is nearer to zero goes too.

Returns:
    (rows, cols, 8, 8) int16.

Raises:
    TypeError: If the plane is of another kind.
    ValueError: If the range is not within the plane.)");
  m.def("squared_difference", difference, "ours"_a.noconvert(), "theirs"_a.noconvert(), nb::kw_only(), "only_left"_a,
        nb::sig("def squared_difference(ours: numpy.typing.NDArray[numpy.int16], theirs: "
                "numpy.typing.NDArray[numpy.int16], *, only_left: bool) -> tuple[list[int], int]"),
        R"(How far two planes are apart.

Args:
    ours: (rows, cols, 8, 8) int16, contiguous, natural order.
    theirs: The same.
    only_left: Count only blocks of which `ours` has something left, not all of them.

Returns:
    64 sums over the blocks of the squared differences of a coefficient, exact, at 8 * v + u; and how many blocks.

Raises:
    TypeError: If a plane is of another kind.
    ValueError: If they are not of the same size.)");
}

}  // namespace freqlearn
