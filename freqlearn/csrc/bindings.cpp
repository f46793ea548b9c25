// The decoder for Python: buffers in, arrays out, JpegError to the classes of freqlearn/errors.py.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <utility>

#include "bindings.hpp"
#include "decoder.hpp"
#include "error.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using freqlearn::Decoded;
using freqlearn::ErrorKind;
using freqlearn::Info;
using freqlearn::JpegError;
using freqlearn::PlaneArray;
using freqlearn::find_instruction_set;
using freqlearn::without_gil;

using TableArray = nb::ndarray<nb::numpy, std::uint16_t, nb::shape<8, 8>>;

const char* class_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::malformed: return "MalformedJpegError";
    case ErrorKind::truncated: return "TruncatedJpegError";
    case ErrorKind::unsupported: return "UnsupportedJpegError";
    case ErrorKind::too_large: return "ImageTooLargeError";
    case ErrorKind::not_jpeg: return "NotJpegError";
  }
  return "JpegError";
}

void raise(const JpegError& error) {
  try {
    const nb::object type = nb::module_::import_("freqlearn.errors").attr(class_name(error.kind()));
    const nb::object instance = type(error.message(), "offset"_a = error.offset());
    PyErr_SetObject(type.ptr(), instance.ptr());
  } catch (nb::python_error& failure) {
    failure.restore();
  }
}

std::vector<TableArray> table_arrays(const std::vector<freqlearn::QuantTable>& tables) {
  std::vector<TableArray> arrays;
  for (const freqlearn::QuantTable& table : tables) {
    auto copy = std::make_unique<freqlearn::QuantTable>(table);
    std::uint16_t* values = copy->data();
    const nb::capsule owner(copy.release(), [](void* p) noexcept { delete static_cast<freqlearn::QuantTable*>(p); });
    arrays.emplace_back(values, std::initializer_list<std::size_t>{8, 8}, owner);
  }
  return arrays;
}

std::vector<PlaneArray> plane_arrays(const Decoded& decoded) {
  std::vector<PlaneArray> arrays;
  for (const freqlearn::Plane& plane : decoded.planes) arrays.push_back(freqlearn::plane_array(plane));
  return arrays;
}

const char* process_name(const Info& info) {
  switch (info.frame.process) {
    case freqlearn::Process::baseline: return "baseline";
    case freqlearn::Process::extended: return "extended";
    case freqlearn::Process::progressive: return "progressive";
  }
  return "";
}

void bind_info(nb::module_& m) {
  nb::class_<Info>(m, "JpegInfo", "What a JPEG file's headers say.")
      .def_prop_ro("width", [](const Info& i) { return i.frame.width; }, "Width in px.")
      .def_prop_ro("height", [](const Info& i) { return i.frame.height; }, "Height in px.")
      .def_prop_ro("process", process_name, "\"baseline\", \"extended\" or \"progressive\".")
      .def_prop_ro(
          "sampling",
          [](const Info& i) {
            std::vector<std::pair<int, int>> factors;
            for (const auto& c : i.frame.components) factors.emplace_back(c.h, c.v);
            return factors;
          },
          "Sampling factors (h, v) of each component, as in the file.")
      .def_prop_ro(
          "component_ids",
          [](const Info& i) {
            std::vector<int> ids;
            for (const auto& c : i.frame.components) ids.push_back(c.id);
            return ids;
          },
          "Identifier of each component, 0..255.")
      .def_ro("color_space", &Info::color_space,
              "\"gray\", \"YCbCr\", \"RGB\", \"CMYK\", \"YCCK\" or \"unknown\", by libjpeg's rules.")
      .def_prop_ro(
          "quant_tables", [](const Info& i) { return table_arrays(i.quant_tables); }, nb::rv_policy::automatic,
          "Quantisation table of each component, (8, 8) uint16, natural order; zeros if it comes after the first scan.")
      .def_ro("restart_interval", &Info::restart_interval, "Restart interval of the first scan in MCUs; 0 for none.")
      .def_ro("orientation", &Info::orientation, "EXIF orientation 1..8; 1 if absent or invalid.")
      .def_ro("adobe_transform", &Info::adobe_transform, "Colour transform of an Adobe APP14 segment, or None.")
      .def_ro("jfif", &Info::jfif, "Whether the file has a JFIF APP0 segment.")
      .def_ro("warnings", &Info::warnings, "What was odd about the file.");
}

void bind_decoded(nb::module_& m) {
  nb::class_<Decoded>(m, "Decoded", "The quantised coefficients of a JPEG file.")
      // A copy: a reference would keep the planes alive.
      .def_prop_ro(
          "info", [](const Decoded& d) { return d.info; }, nb::rv_policy::move, "What the headers say.")
      .def_prop_ro("planes", plane_arrays, nb::rv_policy::automatic,
                   "One array a component, (rows, cols, 8, 8) int16, quantised, natural order, without MCU padding.")
      .def_prop_ro(
          "quant_tables", [](const Decoded& d) { return table_arrays(d.info.quant_tables); }, nb::rv_policy::automatic,
          "Quantisation table of each component, (8, 8) uint16, natural order.")
      .def_ro("complete", &Decoded::complete, "False if strict=False had to leave something out.")
      .def_prop_ro("warnings", [](const Decoded& d) { return d.info.warnings; }, "What was odd about the file.");
}

void bind_functions(nb::module_& m) {
  m.def(
      "read_info",
      [](nb::handle data, std::uint64_t max_pixels) {
        return without_gil(data, [=](freqlearn::Bytes bytes) { return freqlearn::read_info(bytes, max_pixels); });
      },
      "data"_a, "max_pixels"_a, nb::sig("def read_info(data: " FREQLEARN_DATA_TYPE ", max_pixels: int) -> JpegInfo"),
      R"(Reads the headers up to the first scan.

Args:
    data: A JPEG file, any contiguous one-dimensional buffer of bytes; not copied.
    max_pixels: Largest width times height that is accepted.

Returns:
    The headers.

Raises:
    JpegError: One of its subclasses, with the byte offset.)");
  m.def(
      "check",
      [](nb::handle data, std::uint64_t max_pixels) {
        return without_gil(data, [=](freqlearn::Bytes bytes) { return freqlearn::check(bytes, max_pixels); });
      },
      "data"_a, "max_pixels"_a, nb::sig("def check(data: " FREQLEARN_DATA_TYPE ", max_pixels: int) -> JpegInfo"),
      R"(Walks over all segments to the end of the image without decoding.

Args:
    data: A JPEG file, any contiguous one-dimensional buffer of bytes; not copied.
    max_pixels: Largest width times height that is accepted.

Returns:
    The headers; a file without an end marker has a warning that begins with "missing EOI".

Raises:
    JpegError: One of its subclasses, with the byte offset.)");
  m.def(
      "decode",
      [](nb::handle data, bool strict, std::uint64_t max_pixels, bool reference,
         const std::optional<std::string>& instruction_set) {
        const freqlearn::Method method{reference, find_instruction_set(instruction_set)};
        return without_gil(
            data, [=](freqlearn::Bytes bytes) { return freqlearn::decode(bytes, strict, max_pixels, method); });
      },
      "data"_a, nb::kw_only(), "strict"_a, "max_pixels"_a, "reference"_a = false, "instruction_set"_a = nb::none(),
      nb::sig("def decode(data: " FREQLEARN_DATA_TYPE ", *, strict: bool, max_pixels: int, reference: bool = False, "
              "instruction_set: str | None = None) -> Decoded"),
      R"(Decodes all coefficients.

Args:
    data: A JPEG file, any contiguous one-dimensional buffer of bytes; not copied.
    strict: Raise on damage. False keeps what can be read, zeros elsewhere, and says so in complete and warnings.
    max_pixels: Largest width times height that is accepted.
    reference: Decode with the readable decoder alone, which the fast one leaves all damage to. The result is the same.
    instruction_set: One of instruction_sets(), for the fast decoder; None: the best.

Returns:
    Planes, tables and headers.

Raises:
    JpegError: One of its subclasses, with the byte offset.
    ValueError: If the instruction set is not one of those.)");
}

}  // namespace

namespace freqlearn {

PlaneArray plane_array(const Plane& plane) {
  using Shared = std::shared_ptr<Coefficient[]>;
  auto shared = std::make_unique<Shared>(plane.coefficients());
  Coefficient* values = shared->get();
  const nb::capsule owner(shared.release(), [](void* p) noexcept { delete static_cast<Shared*>(p); });
  return {values, std::initializer_list<std::size_t>{plane.rows(), plane.cols(), 8, 8}, owner};
}

}  // namespace freqlearn

NB_MODULE(_native, m) {
  m.doc() = "JPEG files to quantised DCT coefficients.";
  // What a program still holds when it ends (a loader in a reference cycle) is no leak that a user should read of.
  nb::set_leak_warnings(false);
  nb::register_exception_translator(
      [](const std::exception_ptr& pointer, void*) {
        try {
          std::rethrow_exception(pointer);
        } catch (const JpegError& error) {
          raise(error);
        }
      },
      nullptr);
  bind_info(m);
  bind_decoded(m);
  bind_functions(m);
  freqlearn::bind_operator(m);
  freqlearn::bind_visibility(m);
  freqlearn::bind_batch(m);
  freqlearn::bind_rows(m);
  freqlearn::bind_write(m);
  freqlearn::bind_encode(m);
}
