#include "decoding_memory.hpp"

#include <utility>

namespace freqlearn {
namespace {

constexpr std::size_t kKept = 4 << 20;  // bytes of each buffer

thread_local std::unique_ptr<DecodingMemory> spare;

}  // namespace

Coefficient* DecodingMemory::row_buffer(std::size_t count) {
  if (count > rows_size_) {
    rows_.reset(new Coefficient[count]);  // not zeroed, as a vector would be
    rows_size_ = count;
  }
  return rows_.get();
}

void DecodingMemory::trim() {
  entropy_data.trim(kKept);
  if (rows_size_ > kKept / sizeof(Coefficient)) {
    rows_.reset();
    rows_size_ = 0;
  }
}

DecodingMemoryLease::DecodingMemoryLease() : memory_(std::move(spare)) {
  if (!memory_) memory_ = std::make_unique<DecodingMemory>();
}

DecodingMemoryLease::~DecodingMemoryLease() {
  memory_->trim();
  spare = std::move(memory_);
}

}  // namespace freqlearn
