#include "planes.hpp"

#include <new>

#include "error.hpp"

namespace freqlearn {

Plane::Plane(std::size_t rows, std::size_t cols) : rows_(rows), cols_(cols) {
  void* memory = std::calloc(rows * cols, 64 * sizeof(Coefficient));
  if (memory == nullptr) throw std::bad_alloc();
  coefficients_ = std::shared_ptr<Coefficient[]>(static_cast<Coefficient*>(memory), Free{});
}

void Plane::allocate_masks() {
  if (masks_) return;
  void* memory = std::calloc(rows_ * cols_, sizeof(std::uint64_t));
  if (memory == nullptr) throw std::bad_alloc();
  masks_.reset(static_cast<std::uint64_t*>(memory));
}

void check_claim(const Frame& frame, std::size_t available, std::size_t offset, bool strict) {
  constexpr std::uint64_t kLenientFactor = 4, kLenientBytes = 32 << 20;
  const std::uint64_t blocks = frame.blocks();
  const std::uint64_t bits_per_block = frame.progressive() ? 1 : 2;
  const std::uint64_t needed = (blocks * bits_per_block + 7) / 8;
  if (needed <= available) return;
  if (!strict && (needed <= kLenientFactor * available || blocks * 64 * sizeof(Coefficient) <= kLenientBytes)) return;
  fail(ErrorKind::truncated, offset, frame.width, " x ", frame.height, " px: expected at least ", needed,
       " bytes of entropy-coded data, the file has ", available);
}

}  // namespace freqlearn
