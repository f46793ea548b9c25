#include "planes.hpp"

#include <new>

#include "plane_memory.hpp"

namespace freqlearn {

Plane::Plane(std::size_t rows, std::size_t cols, Contents contents)
    : rows_(rows), cols_(cols), coefficients_(plane_memory(rows * cols, contents)) {}

void Plane::allocate_masks() {
  if (masks_) return;
  void* memory = std::calloc(rows_ * cols_, sizeof(std::uint64_t));
  if (memory == nullptr) throw std::bad_alloc();
  masks_.reset(static_cast<std::uint64_t*>(memory));
}

std::uint64_t least_data(const Frame& frame) {
  const std::uint64_t bits_per_block = frame.progressive() ? 1 : 2;
  return (frame.blocks() * bits_per_block + 7) / 8;
}

bool may_be_cut(const Frame& frame, std::size_t available) {
  constexpr std::uint64_t kFactor = 4, kAlwaysBytes = 32 << 20;
  return least_data(frame) <= kFactor * available || frame.blocks() * 64 * sizeof(Coefficient) <= kAlwaysBytes;
}

}  // namespace freqlearn
