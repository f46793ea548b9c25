// Decodes a JPEG file whose frame header becomes another between the headers and the scans, as if another thread wrote
// to the caller's bytes (tests/freqlearn/test_native_dispatch.py):
//
//   changing_bytes FILE
//
// Fails unless each change is refused as a malformed file, before a row of blocks is handed over.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <utility>
#include <vector>

#include "block_rows.hpp"
#include "error.hpp"

namespace {

using freqlearn::BlockRange;
using Jpeg = std::vector<std::uint8_t>;
using Change = std::function<void(std::uint8_t* frame_header)>;

// Wants everything, and changes the file once its headers have been read.
class ChangingSink final : public freqlearn::BlockRowSink {
 public:
  ChangingSink(Jpeg& jpeg, const Change& change) : jpeg_(jpeg), change_(change) {}

  std::vector<BlockRange> wanted(const freqlearn::Info& info) override {
    std::vector<BlockRange> ranges;
    for (const freqlearn::Component& c : info.frame.components) ranges.push_back({0, c.rows, 0, c.cols});
    static constexpr std::uint8_t kFrames[][2] = {{0xFF, 0xC0}, {0xFF, 0xC1}, {0xFF, 0xC2}};
    auto frame = jpeg_.end();
    for (const auto& marker : kFrames) {
      frame = std::min(frame, std::search(jpeg_.begin(), jpeg_.end(), std::begin(marker), std::end(marker)));
    }
    change_(&*frame);
    return ranges;
  }
  void take(const freqlearn::BlockRow&) override { ++rows_; }

  [[nodiscard]] int rows() const { return rows_; }

 private:
  Jpeg& jpeg_;
  const Change& change_;
  int rows_ = 0;
};

bool is_refused(Jpeg jpeg, const Change& change) {
  ChangingSink sink(jpeg, change);
  try {
    freqlearn::decode_rows(jpeg, 1 << 24, sink);
  } catch (const freqlearn::JpegError& error) {
    return error.kind() == freqlearn::ErrorKind::malformed && sink.rows() == 0;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::ifstream file(argv[1], std::ios::binary);
  const Jpeg jpeg{std::istreambuf_iterator<char>(file), {}};
  // Marker, length, precision, height, width, count of components; then id, sampling and table.
  const std::pair<const char*, Change> changes[] = {
      {"one block high", [](std::uint8_t* frame) { frame[5] = 0, frame[6] = 8; }},
      {"one block wide", [](std::uint8_t* frame) { frame[7] = 0, frame[8] = 8; }},
      {"another sampling", [](std::uint8_t* frame) { frame[11] = 0x41; }},
  };
  int failures = 0;
  for (const auto& [name, change] : changes) {
    if (is_refused(jpeg, change)) continue;
    std::fprintf(stderr, "%s: not refused\n", name);
    ++failures;
  }
  return failures;
}
