// The scan header (SOS, T.81 B.2.3) and what a progressive file's scans have sent so far (T.81 G.1.1.1).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "frame.hpp"
#include "warnings.hpp"

namespace freqlearn {

struct ScanHeader {
  struct Selection {
    std::size_t component = 0;  // index in the frame
    int dc_table = 0, ac_table = 0;
  };
  std::size_t offset = 0;  // of the SOS marker
  std::vector<Selection> selections;
  // Spectral selection and successive approximation; 0, 63, 0, 0 in sequential files.
  unsigned spectral_begin = 0, spectral_end = 63, approx_high = 0, approx_low = 0;

  [[nodiscard]] bool interleaved() const { return selections.size() > 1; }
  [[nodiscard]] bool is_dc() const { return spectral_begin == 0; }
  [[nodiscard]] bool is_refinement() const { return approx_high > 0; }
};

ScanHeader parse_scan_header(const Segment& segment, const Frame& frame, Warnings& warnings);

// Which bits of which coefficients have been sent.
class Progression {
 public:
  // A file with more scans is refused, so that thousands of tiny scans over a large picture cannot take minutes.
  // Encoders write about 10; an optimiser that gives every bit of a few bands its own scan stays far below too.
  static constexpr std::size_t kMaxScans = 1000;

  explicit Progression(const Frame& frame);

  // Adds a scan. A progressive scan that does not follow from those before it gets an entry in `warnings`, as
  // libjpeg does; a second sequential scan of a component is malformed.
  void add(const ScanHeader& scan, Warnings& warnings);

  [[nodiscard]] bool has_scan(std::size_t component) const { return low_bit_[component][0] != kNotSent; }
  // After the last scan: throws if a component has not come. If a progressive one lacks precision it warns: some
  // files leave out their last scans; but throws if the file also lacks its end marker, as then it was cut.
  void check_complete(const Frame& frame, std::size_t end_offset, bool has_end_marker, Warnings& warnings) const;

 private:
  static constexpr int kNotSent = -1;
  bool progressive_;
  std::size_t scans_ = 0;
  // The lowest bit sent of each coefficient, zigzag order.
  std::vector<std::array<std::int8_t, 64>> low_bit_;
};

}  // namespace freqlearn
