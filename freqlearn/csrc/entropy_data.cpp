#include "entropy_data.hpp"

#include <algorithm>
#include <cstring>

namespace freqlearn {
namespace {

// One 0xFF of entropy-coded data and what it stands for.
struct Escape {
  std::size_t offset;  // of its first 0xFF
  std::size_t next;    // of what follows
  int code;            // 0: a stuffed data byte 0xFF; a marker's second byte; kEndOfData
};

Escape next_escape(Bytes data, std::size_t offset) {
  const std::size_t size = data.size();
  const void* found = offset < size ? std::memchr(data.data() + offset, 0xFF, size - offset) : nullptr;
  if (found == nullptr) return {size, size, kEndOfData};
  const auto first = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - data.data());
  std::size_t last = first;
  while (last < size && data[last] == 0xFF) ++last;  // fill bytes
  if (last == size) return {first, size, kEndOfData};
  return {first, last + 1, data[last]};
}

}  // namespace

std::size_t end_of_entropy_data(Bytes data, std::size_t begin) {
  for (;;) {
    const Escape escape = next_escape(data, begin);
    if (escape.code == kEndOfData) return data.size();
    if (escape.code != 0 && !marker::is_restart(escape.code)) return escape.offset;
    begin = escape.next;
  }
}

void EntropyData::read(Bytes data, std::size_t begin, std::size_t max_segments) {
  data_ = data;
  // Looked for first, as gigabytes of something else may follow a picture.
  end_offset_ = end_of_entropy_data(data, begin);
  const std::size_t needed = end_offset_ - begin + kReadAhead;
  if (needed > capacity_) {
    copy_.reset(new std::uint8_t[needed]);  // not zeroed, as a vector would be
    capacity_ = needed;
  }
  cropped_ = false;
  segments_.assign(1, EntropySegment{.begin = 0, .end = 0, .file_offset = begin, .restart = -1});
  // Not past that end, whatever is found now: another thread may be writing to the caller's buffer.
  const Bytes scan = data.first(end_offset_);
  std::size_t size = 0;
  for (;;) {
    const Escape escape = next_escape(scan, begin);
    std::memcpy(copy_.get() + size, scan.data() + begin, escape.offset - begin);
    size += escape.offset - begin;
    begin = escape.next;
    if (escape.code == 0) {
      copy_[size++] = 0xFF;
      continue;
    }
    segments_.back().end = size;
    if (!marker::is_restart(escape.code)) break;
    if ((cropped_ = segments_.size() == max_segments)) break;
    segments_.push_back({.begin = size, .end = size, .file_offset = begin, .restart = escape.code - marker::RST0});
  }
  std::memset(copy_.get() + size, 0, kReadAhead);
}

void EntropyData::trim(std::size_t limit) {
  data_ = {};
  segments_.clear();
  if (segments_.capacity() > limit / sizeof(EntropySegment)) segments_.shrink_to_fit();
  if (capacity_ > limit) {
    copy_.reset();
    capacity_ = 0;
  }
}

std::size_t EntropyData::file_offset(const EntropySegment& segment, std::size_t taken) const {
  taken = std::min(taken, segment.end - segment.begin);
  std::size_t offset = segment.file_offset;
  while (taken > 0) {
    const Escape escape = next_escape(data_, offset);
    const std::size_t plain = std::min(escape.offset - offset, taken);
    offset += plain;
    taken -= plain;
    if (taken > 0) {
      offset = escape.next;
      --taken;
    }
  }
  return offset;
}

}  // namespace freqlearn
