// What the binding files share: a caller's bytes without the GIL, and what each of them binds.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cpu.hpp"
#include "error.hpp"
#include "execute.hpp"
#include "planes.hpp"
#include "segments.hpp"

#define FREQLEARN_DATA_TYPE "bytes | bytearray | memoryview | numpy.typing.NDArray[numpy.uint8]"

namespace freqlearn {

// A caller's bytes, held in place while the GIL is released.
class Buffer {
 public:
  explicit Buffer(nanobind::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_ND) != 0) throw nanobind::python_error();
    if (view_.ndim != 1 || view_.itemsize != 1) {
      const std::string got = join(view_.ndim, " dimensions of ", view_.itemsize, "-byte items");
      PyBuffer_Release(&view_);
      throw nanobind::type_error(("expected a one-dimensional buffer of bytes, got " + got).c_str());
    }
  }
  ~Buffer() { PyBuffer_Release(&view_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  [[nodiscard]] Bytes bytes() const {
    return {static_cast<const std::uint8_t*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }

 private:
  Py_buffer view_{};
};

// Runs `work` on the bytes of `object` without the GIL.
template <class Work>
auto without_gil(nanobind::handle object, Work&& work) {
  const Buffer buffer(object);
  const nanobind::gil_scoped_release release;
  return work(buffer.bytes());
}

// One of instruction_sets() by its name; the best for none.
inline InstructionSet find_instruction_set(const std::optional<std::string>& wanted) {
  if (!wanted) return best_instruction_set();
  std::string names;
  for (const InstructionSet set : instruction_sets()) {
    if (name(set) == *wanted) return set;
    names += join(names.empty() ? "" : ", ", name(set));
  }
  throw nanobind::value_error(("expected one of the instruction sets " + names + ", got " + *wanted).c_str());
}

// bindings.cpp
// (rows, cols, 8, 8): a view of a plane's memory, which it keeps alive.
using PlaneArray = nanobind::ndarray<nanobind::numpy, Coefficient, nanobind::ndim<4>>;
PlaneArray plane_array(const Plane& plane);

// bindings_operator.cpp
void bind_operator(nanobind::module_& m);
// A tensor's memory: address, "float32", "float16" or "bfloat16", (channels, rows, cols), strides in elements.
Output output_of(std::uintptr_t pointer, const std::string& type, const std::array<std::int64_t, 3>& shape,
                 const std::array<std::int64_t, 3>& strides);
// Views of a caller's arrays, which have to stay; what execute_planes takes of them.
std::vector<StoredPlane> planes_of(const std::vector<nanobind::object>& blocks,
                                   const std::vector<nanobind::object>& tables,
                                   const std::vector<std::pair<int, int>>& sampling);

// bindings_visibility.cpp
void bind_visibility(nanobind::module_& m);

// bindings_batch.cpp
void bind_batch(nanobind::module_& m);

// bindings_rows.cpp
void bind_rows(nanobind::module_& m);

// bindings_write.cpp
void bind_write(nanobind::module_& m);

// bindings_encode.cpp
void bind_encode(nanobind::module_& m);

}  // namespace freqlearn
