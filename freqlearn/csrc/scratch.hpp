// Memory for rows of floats that is kept from one picture to the next.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

namespace freqlearn {

// Floats aligned to a cache line. Growing loses what was there; new memory is zero, so that padding at the ends of rows
// never holds anything slow or undefined.
class FloatBuffer {
 public:
  FloatBuffer() = default;
  ~FloatBuffer() { release(); }
  FloatBuffer(FloatBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  FloatBuffer& operator=(FloatBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  float* at_least(std::size_t floats) {
    if (floats > size_) {
      release();
      data_ = static_cast<float*>(::operator new(floats * sizeof(float), kLine));
      size_ = floats;
      std::memset(data_, 0, floats * sizeof(float));
    }
    return data_;
  }
  [[nodiscard]] float* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return size_ * sizeof(float); }

 private:
  static constexpr std::align_val_t kLine{64};

  void release() {
    if (data_ != nullptr) ::operator delete(data_, kLine);
    data_ = nullptr;
    size_ = 0;
  }

  float* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace freqlearn
