// The writer for Python: arrays in, a file's bytes out.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "metadata_segments.hpp"
#include "picture.hpp"
#include "writer.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace freqlearn {
namespace {

std::vector<SourcePlane> source_planes(const std::vector<nb::object>& blocks, const std::vector<nb::object>& tables,
                                       const std::vector<std::pair<int, int>>& sampling) {
  std::vector<SourcePlane> planes;
  for (const StoredPlane& stored : planes_of(blocks, tables, sampling)) {
    if (stored.quantised == nullptr) throw nb::type_error("expected int16 (quantised) planes, got float32");
    planes.push_back({.blocks = stored.quantised,
                      .rows = stored.rows,
                      .cols = stored.cols,
                      .h = stored.h,
                      .v = stored.v,
                      .quant_table = stored.quant_table});
  }
  return planes;
}

nb::bytes encode(const std::vector<nb::object>& blocks, const std::vector<nb::object>& tables,
                 std::pair<std::uint64_t, std::uint64_t> size_px, const std::vector<std::pair<int, int>>& sampling,
                 const std::string& color_space, bool optimise, bool progressive, std::uint64_t restart_interval,
                 nb::handle segments) {
  const std::vector<SourcePlane> planes = source_planes(blocks, tables, sampling);
  const std::vector<std::uint8_t> file = without_gil(segments, [&](Bytes bytes) {
    const WriteOptions options{optimise, progressive, restart_interval, bytes};
    return write_file(checked_picture(planes, size_px.second, size_px.first, color_space, options), options);
  });
  return nb::bytes(file.data(), file.size());
}

std::vector<std::pair<int, nb::bytes>> metadata(nb::handle data) {
  const Buffer buffer(data);
  std::vector<std::pair<int, nb::bytes>> segments;
  for (const Segment& segment : metadata_segments(buffer.bytes())) {
    segments.emplace_back(segment.code, nb::bytes(segment.payload.data(), segment.payload.size()));
  }
  return segments;
}

}  // namespace

void bind_write(nb::module_& m) {
  m.def("encode", encode, "planes"_a, "quant_tables"_a, "size_px"_a, "sampling"_a, "color_space"_a, nb::kw_only(),
        "optimise"_a, "progressive"_a, "restart_interval"_a, "segments"_a,
        nb::sig("def encode(planes: collections.abc.Sequence[numpy.typing.NDArray[numpy.int16]], quant_tables: "
                "collections.abc.Sequence[numpy.typing.NDArray[numpy.uint16]], size_px: tuple[int, int], sampling: "
                "collections.abc.Sequence[tuple[int, int]], color_space: str, *, optimise: bool, progressive: bool, "
                "restart_interval: int, segments: " FREQLEARN_DATA_TYPE ") -> bytes"),
        R"(Writes a JPEG file.

Args:
    planes: (rows, cols, 8, 8) int16 each, contiguous, quantised, natural order, without MCU padding.
    quant_tables: (8, 8) uint16 each, natural order.
    size_px: (height, width).
    sampling: Factors (h, v) of each plane.
    color_space: "gray", "YCbCr", "RGB", "CMYK", "YCCK", or "unknown" for two planes.
    optimise: Make Huffman tables for the picture; else those of T.81 annex K.3.
    progressive: Write a progressive file, by libjpeg's script.
    restart_interval: MCUs between restart markers; 0: none.
    segments: Whole marker segments that go directly behind SOI.

Returns:
    The file.

Raises:
    TypeError: If a plane is of another kind.
    ValueError: If shapes do not agree, or a value is out of the format's range.)");
  m.def("metadata_segments", metadata, "data"_a,
        nb::sig("def metadata_segments(data: " FREQLEARN_DATA_TYPE ") -> list[tuple[int, bytes]]"),
        R"(Application segments and comments of a JPEG file before its first scan, in order.

Args:
    data: A JPEG file whose headers have been read.

Returns:
    Second byte of the marker, and what follows the length.

Raises:
    JpegError: One of its subclasses, with the byte offset.)");
}

}  // namespace freqlearn
