#include "entropy_data.hpp"

#include <algorithm>
#include <bit>
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

// Marks bytes 0xFF of `word` by their highest bit; behind the lowest of them, others too.
std::uint64_t find_ff(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  return (~word - kOnes) & word & (kOnes << 7);
}

// The marks of 8 bytes as 8 bits.
std::uint64_t gathered(std::uint64_t marks) { return (marks >> 7) * 0x0102040810204080 >> 56; }

// Copies `size` bytes, or those before the first 0xFF, and returns how many. Of the rest it may overwrite some.
std::size_t copy_plain(std::uint8_t* to, const std::uint8_t* from, std::size_t size) {
  std::size_t i = 0;
  if constexpr (std::endian::native == std::endian::little) {
    for (; i + 32 <= size; i += 32) {
      std::uint64_t words[4], marks[4];
      std::memcpy(words, from + i, sizeof words);
      std::memcpy(to + i, words, sizeof words);
      for (std::size_t j = 0; j < 4; ++j) marks[j] = find_ff(words[j]);
      if ((marks[0] | marks[1] | marks[2] | marks[3]) == 0) continue;
      // One number, so that where in it the byte is asks for no branch, which nobody could predict.
      const std::uint64_t all =
          gathered(marks[0]) | gathered(marks[1]) << 8 | gathered(marks[2]) << 16 | gathered(marks[3]) << 24;
      return i + static_cast<std::size_t>(std::countr_zero(all));
    }
  }
  for (; i < size && from[i] != 0xFF; ++i) to[i] = from[i];
  return i;
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

void EntropyData::reserve(std::size_t used, std::size_t more) {
  const std::size_t needed = used + more;
  if (needed <= capacity_) return;
  const std::size_t capacity = std::max(needed, 2 * capacity_);
  std::unique_ptr<std::uint8_t[]> copy(new std::uint8_t[capacity]);  // not zeroed, as a vector would be
  if (used > 0) std::memcpy(copy.get(), copy_.get(), used);
  copy_ = std::move(copy);
  capacity_ = capacity;
}

// In one pass: what is looked at is what is copied, as another thread may be writing to the caller's buffer. And piece
// by piece, as gigabytes of something else may follow a picture.
void EntropyData::read(Bytes data, std::size_t begin, std::size_t max_segments) {
  data_ = data;
  cropped_ = false;
  segments_.assign(1, EntropySegment{.begin = 0, .end = 0, .file_offset = begin, .restart = -1});
  std::size_t size = 0;
  for (;;) {
    const std::size_t piece = std::min(kPiece, data.size() - begin);
    reserve(size, piece + 1 + kReadAhead);
    const std::size_t plain = copy_plain(copy_.get() + size, data.data() + begin, piece);
    size += plain;
    begin += plain;
    if (plain == piece && begin < data.size()) continue;
    if (begin + 1 < data.size() && data[begin + 1] == 0) {  // nearly always
      copy_[size++] = 0xFF;
      begin += 2;
      continue;
    }
    const Escape escape = next_escape(data, begin);
    begin = escape.next;
    if (escape.code == 0) {
      copy_[size++] = 0xFF;
      continue;
    }
    segments_.back().end = size;
    end_offset_ = escape.code == kEndOfData ? data.size() : escape.offset;
    if (!marker::is_restart(escape.code)) break;
    if ((cropped_ = segments_.size() == max_segments)) {
      end_offset_ = end_of_entropy_data(data, begin);
      break;
    }
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
