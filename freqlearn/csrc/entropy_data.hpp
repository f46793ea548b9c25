// A scan's entropy-coded data, copied without byte stuffing and cut at its restart markers (T.81 B.1.1.5, E.1.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "bit_reader.hpp"
#include "segments.hpp"

namespace freqlearn {

// What lies between two restart markers.
struct EntropySegment {
  std::size_t begin = 0, end = 0;  // in the copy
  std::size_t file_offset = 0;     // of its first byte
  int restart = -1;                // number 0..7 of the marker before it; -1 for a scan's first
};

// Offset of the marker that ends the entropy-coded data at `begin`, or data.size(). Skips restart markers.
std::size_t end_of_entropy_data(Bytes data, std::size_t begin);

// Reused for every scan of a file and for the files after it, so that few of them allocate.
class EntropyData {
 public:
  // Copies the scan whose data begin at `begin`, up to the restart marker that would open one segment too many.
  void read(Bytes data, std::size_t begin, std::size_t max_segments);

  [[nodiscard]] const std::vector<EntropySegment>& segments() const { return segments_; }
  // Whether there are more segments than that.
  [[nodiscard]] bool cropped() const { return cropped_; }
  // Offset of the marker that ended the data, or the file's size.
  [[nodiscard]] std::size_t end_offset() const { return end_offset_; }
  [[nodiscard]] BitReader reader(const EntropySegment& segment) const {
    return {copy_.get() + segment.begin, copy_.get() + segment.end};
  }
  // Where in the file the `taken`-th byte of a segment is.
  [[nodiscard]] std::size_t file_offset(const EntropySegment& segment, std::size_t taken) const;

  // Forgets everything, and gives memory back that takes more than `limit` bytes.
  void trim(std::size_t limit);

 private:
  static constexpr std::size_t kPiece = 64 << 10;

  // Makes room for `more` bytes behind the first `used` ones of the copy.
  void reserve(std::size_t used, std::size_t more);

  Bytes data_;
  std::unique_ptr<std::uint8_t[]> copy_;
  std::size_t capacity_ = 0;
  std::vector<EntropySegment> segments_;
  std::size_t end_offset_ = 0;
  bool cropped_ = false;
};

}  // namespace freqlearn
