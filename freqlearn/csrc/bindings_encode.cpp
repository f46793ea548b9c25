// The encoder for Python: an array of pixels in, planes of quantised coefficients out.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "encoder.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace freqlearn {
namespace {

using PixelArray = nb::ndarray<const std::uint8_t, nb::device::cpu>;
using TableArray = nb::ndarray<const std::uint16_t, nb::shape<8, 8>, nb::c_contig, nb::device::cpu>;

PixelView view_of(const PixelArray& pixels) {
  if (pixels.ndim() != 2 && pixels.ndim() != 3) {
    throw std::invalid_argument("expected pixels (height, width) or (height, width, 3)");
  }
  const bool is_gray = pixels.ndim() == 2;
  return {.data = pixels.data(),
          .height = pixels.shape(0),
          .width = pixels.shape(1),
          .channels = is_gray ? 1 : pixels.shape(2),
          .line_step = pixels.stride(0),
          .pixel_step = pixels.stride(1),
          .channel_step = is_gray ? 1 : pixels.stride(2)};
}

std::vector<EncodedComponent> components_of(const std::vector<TableArray>& tables,
                                            const std::vector<std::pair<int, int>>& sampling,
                                            const std::vector<std::uint64_t>& wanted) {
  if (sampling.size() != tables.size() || wanted.size() != tables.size()) {
    throw std::invalid_argument("expected a quantisation table, sampling factors and wanted places of each component");
  }
  std::vector<EncodedComponent> components(tables.size());
  for (std::size_t i = 0; i < components.size(); ++i) {
    components[i] = {.h = sampling[i].first, .v = sampling[i].second, .wanted = wanted[i]};
    std::copy_n(tables[i].data(), 64, components[i].quant_table.begin());
  }
  return components;
}

std::vector<PlaneArray> encode(const PixelArray& pixels, const std::vector<TableArray>& tables,
                               const std::vector<std::pair<int, int>>& sampling,
                               const std::vector<std::uint64_t>& wanted,
                               const std::optional<std::string>& instruction_set) {
  const PixelView view = view_of(pixels);
  const std::vector<EncodedComponent> components = components_of(tables, sampling, wanted);
  const InstructionSet set = find_instruction_set(instruction_set);
  std::vector<Plane> planes;
  {
    const nb::gil_scoped_release release;
    planes = encode_pixels(view, components, set);
  }
  std::vector<PlaneArray> arrays;
  for (const Plane& plane : planes) arrays.push_back(plane_array(plane));
  return arrays;
}

}  // namespace

void bind_encode(nb::module_& m) {
  m.def("encode_pixels", encode, "pixels"_a, "quant_tables"_a, "sampling"_a, "wanted"_a, nb::kw_only(),
        "instruction_set"_a = nb::none(),
        nb::sig("def encode_pixels(pixels: numpy.typing.NDArray[numpy.uint8], quant_tables: "
                "collections.abc.Sequence[numpy.typing.NDArray[numpy.uint16]], sampling: "
                "collections.abc.Sequence[tuple[int, int]], wanted: collections.abc.Sequence[int], *, "
                "instruction_set: str | None = None) -> list[numpy.typing.NDArray[numpy.int16]]"),
        R"(Transforms and quantises pixels as libjpeg-turbo does with its float DCT.

Args:
    pixels: (height, width, 3) RGB or (height, width) gray, any layout in memory; not copied.
    quant_tables: (8, 8) uint16 of each component, natural order.
    sampling: Factors (h, v) of each component, which divide the largest.
    wanted: Which coefficients of each component are wanted: bit 8 * v + u.
    instruction_set: One of instruction_sets(); None: the best. The result is the same.

Returns:
    One array a component, (rows, cols, 8, 8) int16, quantised, natural order, zero where unwanted.

Raises:
    ValueError: If shapes do not agree, or a number is out of range.)");
}

}  // namespace freqlearn
