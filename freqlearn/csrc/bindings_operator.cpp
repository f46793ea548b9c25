// The operator for Python: plans and targets as objects made once, execute() and execute_planes() on a tensor's memory.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "execute.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace freqlearn {
namespace {

using Box4 = std::array<std::int64_t, 4>;    // top, left, height, width
using Stage = std::array<std::int64_t, 14>;  // box, resized (height, width), window, visible

Geometry geometry_of(const Stage& n) {
  const auto box = [&](std::size_t at) { return Box{n[at], n[at + 1], n[at + 2], n[at + 3]}; };
  return {.box = box(0), .scaled_height = n[4], .scaled_width = n[5], .window = box(6), .visible = box(10)};
}

ColorStep::Kind kind_of(const std::string& name) {
  if (name == "brightness") return ColorStep::Kind::brightness;
  if (name == "saturation") return ColorStep::Kind::saturation;
  if (name == "hue") return ColorStep::Kind::hue;
  throw std::invalid_argument("expected brightness, saturation or hue, got " + name);
}

DataType type_of(const std::string& name) {
  if (name == "float32") return DataType::float32;
  if (name == "float16") return DataType::float16;
  if (name == "bfloat16") return DataType::bfloat16;
  throw std::invalid_argument("expected float32, float16 or bfloat16, got " + name);
}

using Numbers3 = std::array<std::int64_t, 3>;

template <class T>
using BlocksArray = nb::ndarray<const T, nb::ndim<4>, nb::c_contig, nb::device::cpu>;
using TableArray = nb::ndarray<const std::uint16_t, nb::shape<8, 8>, nb::c_contig, nb::device::cpu>;

// Views of the caller's arrays; `planes` keeps them alive.
template <class Array>
StoredPlane stored(const Array& array, int h, int v) {
  if (array.shape(2) != 8 || array.shape(3) != 8) throw std::invalid_argument("expected planes (rows, cols, 8, 8)");
  StoredPlane plane;
  plane.rows = array.shape(0);
  plane.cols = array.shape(1);
  plane.h = h;
  plane.v = v;
  return plane;
}

StoredPlane plane_of(nb::handle blocks, nb::handle table, std::pair<int, int> sampling) {
  if (BlocksArray<float> array; nb::try_cast(blocks, array, false)) {
    StoredPlane plane = stored(array, sampling.first, sampling.second);
    plane.dequantised = array.data();
    return plane;
  }
  BlocksArray<Coefficient> array;
  TableArray steps;
  if (!nb::try_cast(blocks, array, false) || !nb::try_cast(table, steps, false)) {
    throw nb::type_error(
        "expected contiguous planes: int16 (rows, cols, 8, 8) with a uint16 (8, 8) table, or float32 without");
  }
  StoredPlane plane = stored(array, sampling.first, sampling.second);
  plane.quantised = array.data();
  std::copy_n(steps.data(), 64, plane.quant_table.begin());
  return plane;
}

void bind_plan(nb::module_& m) {
  nb::class_<Plan>(m, "Plan", "A freqlearn.plan.Plan for the native operator.")
      .def(
          "__init__",
          [](Plan* self, std::array<std::int64_t, 2> size_px, const Stage& stage, bool transposed, bool flip_horizontal,
             bool flip_vertical) {
            new (self) Plan{.height = size_px[0],
                            .width = size_px[1],
                            .geometry = geometry_of(stage),
                            .transposed = transposed,
                            .flip_horizontal = flip_horizontal,
                            .flip_vertical = flip_vertical,
                            .colors = {}};
          },
          "size_px"_a, "stage"_a, "transposed"_a, "flip_horizontal"_a, "flip_vertical"_a,
          "Size (height, width); a stage is box, resized (height, width), window, visible; boxes are (top, left, "
          "height, width).")
      .def(
          "add_factor",
          [](Plan& self, const std::string& kind, double factor) {
            self.colors.push_back({.kind = kind_of(kind), .factor = factor, .rgb = {}, .geometry = {}});
          },
          "kind"_a, "factor"_a, "The next colour step: \"brightness\", \"saturation\" or \"hue\".")
      .def(
          "add_contrast",
          [](Plan& self, double factor, const Stage& stage) {
            self.colors.push_back(
                {.kind = ColorStep::Kind::contrast, .factor = factor, .rgb = {}, .geometry = geometry_of(stage)});
          },
          "factor"_a, "stage"_a, "The next colour step: contrast, about the mean of a stage.")
      .def(
          "add_fill",
          [](Plan& self, std::array<double, 3> rgb) {
            self.colors.push_back({.kind = ColorStep::Kind::fill, .factor = 1.0, .rgb = rgb, .geometry = {}});
          },
          "rgb"_a, "The next colour step: what lies beyond the picture, 0..255.");
}

void bind_target(nb::module_& m) {
  nb::class_<Target>(m, "Target", "What a model expects of a picture, for the native operator.")
      .def(
          "__init__",
          [](Target* self, std::vector<int> channels, std::vector<double> mean, std::vector<double> std,
             double tolerance) {
            new (self) Target{.channels = std::move(channels),
                              .mean = std::move(mean),
                              .std = std::move(std),
                              .tolerance = tolerance};
          },
          "channels"_a, "mean"_a, "std"_a, "tolerance"_a,
          "Channels 64 * component + 8 * v + u with their mean and std; see Target in execute.hpp for the tolerance.")
      .def("__len__", [](const Target& target) { return target.channels.size(); }, "How many channels.")
      // For workers that are spawned, and copies of a transform.
      .def(
          "__reduce__",
          [](nb::object self) {
            const auto& target = nb::cast<const Target&>(self);
            return nb::make_tuple(self.type(),
                                  nb::make_tuple(target.channels, target.mean, target.std, target.tolerance));
          },
          nb::sig("def __reduce__(self) -> tuple[type[Target], tuple[list[int], list[float], list[float], float]]"),
          "What pickle needs.");
}

#define FREQLEARN_OUTPUT_DOC                                            \
  "\n    pointer: Address of the result's first element."               \
  "\n    dtype: \"float32\", \"float16\" or \"bfloat16\"."                \
  "\n    shape: (channels, height / 8, width / 8) of the result."       \
  "\n    strides: Of the result, in elements."                          \
  "\n    instruction_set: One of instruction_sets(); by default the best.\n"

void bind_execute(nb::module_& m) {
  m.def(
      "execute",
      [](nb::handle data, const Plan& plan, const Target& target, std::uintptr_t pointer, const std::string& dtype,
         const Numbers3& shape, const Numbers3& strides, std::uint64_t max_pixels,
         const std::optional<std::string>& instruction_set) {
        const Output output = output_of(pointer, dtype, shape, strides);
        const InstructionSet set = find_instruction_set(instruction_set);
        without_gil(data, [&](Bytes bytes) { execute(bytes, plan, target, output, max_pixels, set); });
      },
      "data"_a, "plan"_a, "target"_a, nb::kw_only(), "pointer"_a, "dtype"_a, "shape"_a, "strides"_a, "max_pixels"_a,
      "instruction_set"_a = nb::none(),
      nb::sig("def execute(data: " FREQLEARN_DATA_TYPE
              ", plan: Plan, target: Target, *, pointer: int, dtype: str, shape: tuple[int, int, int], strides: "
              "tuple[int, int, int], max_pixels: int, instruction_set: str | None = None) -> None"),
      R"(Decodes what a plan needs of a JPEG file and writes the finished channels into memory that the caller owns.

Args:
    data: A JPEG file, any contiguous one-dimensional buffer of bytes; not copied.
    plan: For a picture of the file's size.
    target: The wanted channels.
    max_pixels: Largest width times height that is accepted.)" FREQLEARN_OUTPUT_DOC R"(
Raises:
    JpegError: One of its subclasses, with the byte offset.
    ValueError: If the plan does not fit the picture, or the result's shape the plan.)");
  m.def(
      "execute_planes",
      [](const std::vector<nb::object>& blocks, const std::vector<nb::object>& tables,
         const std::vector<std::pair<int, int>>& sampling, const std::string& color_space, const Plan& plan,
         const Target& target, std::uintptr_t pointer, const std::string& dtype, const Numbers3& shape,
         const Numbers3& strides, const std::optional<std::string>& instruction_set) {
        const std::vector<StoredPlane> planes = planes_of(blocks, tables, sampling);
        const Output output = output_of(pointer, dtype, shape, strides);
        const InstructionSet set = find_instruction_set(instruction_set);
        const nb::gil_scoped_release release;
        execute_planes(planes, color_space, plan, target, output, set);
      },
      "planes"_a, "quant_tables"_a, "sampling"_a, "color_space"_a, "plan"_a, "target"_a, nb::kw_only(), "pointer"_a,
      "dtype"_a, "shape"_a, "strides"_a, "instruction_set"_a = nb::none(),
      nb::sig("def execute_planes(planes: collections.abc.Sequence[numpy.typing.NDArray[typing.Any]], quant_tables: "
              "collections.abc.Sequence[numpy.typing.NDArray[numpy.uint16] | None], sampling: "
              "collections.abc.Sequence[tuple[int, int]], color_space: str, plan: Plan, target: Target, *, "
              "pointer: int, dtype: str, shape: tuple[int, int, int], strides: tuple[int, int, int], "
              "instruction_set: str | None = None) -> None"),
      R"(The same for planes that are in memory.

Args:
    planes: (rows, cols, 8, 8) each, contiguous, natural order: int16 quantised, or float32 as they are.
    quant_tables: (8, 8) each; not used for float32.
    sampling: Factors (h, v) of each plane.
    color_space: "gray", "YCbCr" or "RGB".
    plan: For the planes' picture.
    target: The wanted channels.)" FREQLEARN_OUTPUT_DOC R"(
Raises:
    TypeError: If a plane is of another kind.
    ValueError: If the plan does not fit the planes, or the result's shape the plan.)");
}

}  // namespace

Output output_of(std::uintptr_t pointer, const std::string& type, const Numbers3& shape, const Numbers3& strides) {
  return {.data = reinterpret_cast<void*>(pointer),
          .type = type_of(type),
          .channels = shape[0],
          .rows = shape[1],
          .cols = shape[2],
          .channel_stride = static_cast<std::ptrdiff_t>(strides[0]),
          .row_stride = static_cast<std::ptrdiff_t>(strides[1]),
          .col_stride = static_cast<std::ptrdiff_t>(strides[2])};
}

std::vector<StoredPlane> planes_of(const std::vector<nb::object>& blocks, const std::vector<nb::object>& tables,
                                   const std::vector<std::pair<int, int>>& sampling) {
  if (tables.size() != blocks.size() || sampling.size() != blocks.size()) {
    throw std::invalid_argument("expected one table and one pair of sampling factors a plane");
  }
  std::vector<StoredPlane> planes;
  for (std::size_t i = 0; i < blocks.size(); ++i) planes.push_back(plane_of(blocks[i], tables[i], sampling[i]));
  return planes;
}

void bind_operator(nb::module_& m) {
  bind_plan(m);
  bind_target(m);
  bind_execute(m);
  m.def(
      "instruction_sets",
      [] {
        std::vector<std::string> names;
        for (const InstructionSet set : instruction_sets()) names.emplace_back(name(set));
        return names;
      },
      "Names of the builds of the fast loops that this processor can run, slowest first.");
}

}  // namespace freqlearn
