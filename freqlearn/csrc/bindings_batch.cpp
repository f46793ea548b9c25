// Thread pools and batches of pictures for Python.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "batch.hpp"
#include "bindings.hpp"
#include "execute.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace freqlearn {
namespace {

// How long an interrupt of the user may wait for whoever waits for other threads.
constexpr std::chrono::milliseconds kPatience{50};

using Numbers4 = std::array<std::int64_t, 4>;

// Pictures on their way into one tensor. It holds on to what the jobs read, until they are done.
class Pictures {
 public:
  Pictures(nb::object pool, nb::object target)
      : pool_(std::move(pool)),
        target_(std::move(target)),
        batch_(std::make_unique<Batch>(nb::cast<Pool&>(pool_))) {}
  ~Pictures() {
    const nb::gil_scoped_release release;
    batch_.reset();
  }
  Pictures(const Pictures&) = delete;
  Pictures& operator=(const Pictures&) = delete;

  void write_to(std::uintptr_t pointer, const std::string& dtype, const Numbers4& shape, const Numbers4& strides) {
    count_ = shape[0];
    image_bytes_ = strides[0] * static_cast<std::int64_t>(dtype == "float32" ? 4 : 2);
    first_ = output_of(pointer, dtype, {shape[1], shape[2], shape[3]}, {strides[1], strides[2], strides[3]});
  }

  void add(std::int64_t place, nb::handle data, const Plan& plan, std::uint64_t max_pixels) {
    const Output output = output_at(place);
    const Bytes bytes = files_.emplace_back(data).bytes();
    batch_->add([bytes, plan, target = &target(), output, max_pixels] { execute(bytes, plan, *target, output, max_pixels); });
  }

  void add_planes(std::int64_t place, const std::vector<nb::object>& blocks, const std::vector<nb::object>& tables,
                  const std::vector<std::pair<int, int>>& sampling, const std::string& color_space, const Plan& plan) {
    const Output output = output_at(place);
    std::vector<StoredPlane> planes = planes_of(blocks, tables, sampling);
    arrays_.insert(arrays_.end(), blocks.begin(), blocks.end());
    batch_->add([planes = std::move(planes), color_space, plan, target = &target(), output] {
      execute_planes(planes, color_space, plan, *target, output);
    });
  }

  // Which of the jobs failed, counted in the order in which they were added.
  std::vector<std::size_t> finish() {
    for (bool done = false; !done;) {
      {
        const nb::gil_scoped_release release;
        done = batch_->help(kPatience);
      }
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
    }
    std::vector<std::size_t> failed;
    for (std::size_t i = 0; i < batch_->errors().size(); ++i) {
      if (batch_->errors()[i]) failed.push_back(i);
    }
    return failed;
  }

  void raise_error(std::size_t job) const {
    if (const std::exception_ptr& error = batch_->errors().at(job)) std::rethrow_exception(error);
  }

  void cancel() {
    const nb::gil_scoped_release release;
    batch_->cancel();
  }

 private:
  [[nodiscard]] const Target& target() const { return nb::cast<const Target&>(target_); }

  [[nodiscard]] Output output_at(std::int64_t place) const {
    if (place < 0 || place >= count_) {
      throw std::invalid_argument(join("expected a place in 0..", count_ - 1, ", got ", place));
    }
    Output output = first_;
    output.data = static_cast<std::uint8_t*>(first_.data) + place * image_bytes_;
    return output;
  }

  nb::object pool_, target_;
  std::deque<Buffer> files_;
  std::vector<nb::object> arrays_;
  std::int64_t count_ = 0, image_bytes_ = 0;
  Output first_;
  std::unique_ptr<Batch> batch_;
};

}  // namespace

void bind_batch(nb::module_& m) {
  nb::class_<Pool>(m, "Pool", "Threads for batches, which start with the first job, and anew in the child of a fork.")
      .def(nb::init<std::size_t>(), "threads"_a, "With 0, jobs run in the thread that adds them.")
      .def_prop_ro("threads", &Pool::threads, "How many threads there are besides the one that waits for a batch.");

  nb::class_<Pictures>(m, "Batch", R"(Pictures on their way into one tensor, on a pool's threads and the waiting one.

Used by one thread. As a context manager it drops, at the end, what nobody has begun, and waits for what was.)")
      .def(
          "__init__", [](Pictures* self, nb::typed<nb::object, Pool> pool, nb::typed<nb::object, Target> target) {
            new (self) Pictures(pool, target);
          },
          "pool"_a, "target"_a)
      .def("write_to", &Pictures::write_to, "pointer"_a, "dtype"_a, "shape"_a, "strides"_a,
           R"(Says where the pictures go, before the first.

Args:
    pointer: Address of the first picture's first element; the memory stays until the batch is done.
    dtype: "float32", "float16" or "bfloat16".
    shape: (pictures, channels, height / 8, width / 8).
    strides: In elements.)")
      .def("add", &Pictures::add, "place"_a, "data"_a, "plan"_a, "max_pixels"_a,
           nb::sig("def add(self, place: int, data: " FREQLEARN_DATA_TYPE ", plan: Plan, max_pixels: int) -> None"),
           R"(Begins with a JPEG file.

Args:
    place: Of the picture in the tensor.
    data: The file, any contiguous one-dimensional buffer of bytes; not copied.
    plan: For a picture of the file's size.
    max_pixels: Largest width times height that is accepted.)")
      .def("add_planes", &Pictures::add_planes, "place"_a, "planes"_a, "quant_tables"_a, "sampling"_a, "color_space"_a,
           "plan"_a,
           nb::sig("def add_planes(self, place: int, planes: collections.abc.Sequence[numpy.typing.NDArray[typing.Any]], "
                   "quant_tables: collections.abc.Sequence[numpy.typing.NDArray[numpy.uint16] | None], sampling: "
                   "collections.abc.Sequence[tuple[int, int]], color_space: str, plan: Plan) -> None"),
           "Begins with planes, as execute_planes takes them; they must not be changed until the batch is done.")
      .def("finish", &Pictures::finish, R"(Works on the batch until all its pictures are done.

Returns:
    Which additions failed, counted from 0.)")
      .def("raise_error", &Pictures::raise_error, "addition"_a, "Raises why an addition failed, if it did.")
      .def("cancel", &Pictures::cancel, "Drops the pictures that nobody has begun, and waits for the others.")
      .def("__enter__", [](nb::handle self) { return nb::borrow(self); },
           nb::sig("def __enter__(self) -> typing.Self"))
      .def(
          "__exit__", [](Pictures& self, nb::args) { self.cancel(); }, nb::sig("def __exit__(self, *_: object) -> None"));
}

}  // namespace freqlearn
