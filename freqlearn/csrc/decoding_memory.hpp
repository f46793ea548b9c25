// A thread's memory for decoding, kept for its next file.
#pragma once

#include <cstddef>
#include <memory>

#include "entropy_data.hpp"
#include "fast_sequential.hpp"
#include "planes.hpp"

namespace freqlearn {

struct DecodingMemory {
  EntropyData entropy_data;
  FastTables tables;
  // At least `count` coefficients, of any value.
  Coefficient* row_buffer(std::size_t count);
  // Gives back what only a very large file needed.
  void trim();

 private:
  std::unique_ptr<Coefficient[]> rows_;
  std::size_t rows_size_ = 0;
};

// The thread's memory, or another one while that is in use (by whoever decodes while taking rows).
class DecodingMemoryLease {
 public:
  DecodingMemoryLease();
  ~DecodingMemoryLease();
  DecodingMemoryLease(const DecodingMemoryLease&) = delete;
  DecodingMemoryLease& operator=(const DecodingMemoryLease&) = delete;
  DecodingMemory* operator->() const { return memory_.get(); }
  DecodingMemory& operator*() const { return *memory_; }

 private:
  std::unique_ptr<DecodingMemory> memory_;
};

}  // namespace freqlearn
