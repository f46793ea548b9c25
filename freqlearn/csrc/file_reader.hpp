// The walk over a file's segments: headers at once, and each scan to whoever reads scans.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "application.hpp"
#include "decoder.hpp"
#include "error.hpp"
#include "frame.hpp"
#include "huffman.hpp"
#include "quantisation.hpp"
#include "scan_header.hpp"
#include "segments.hpp"
#include "warnings.hpp"

namespace freqlearn {

class FileReader {
 public:
  FileReader(Bytes data, bool strict, std::uint64_t max_pixels)
      : data_(data), strict_(strict), max_pixels_(max_pixels) {}
  virtual ~FileReader() = default;
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  // Reads to the end, or to where read_scan() stops. Returns what the headers say. With strict == false, damage behind
  // the first scan header becomes a warning, and `complete()` false.
  Info run();

 protected:
  // Reads the scan whose data begin at `data_offset`. Returns the offset of what follows, or nothing to end reading.
  virtual std::optional<std::size_t> read_scan(const ScanHeader& header, std::size_t data_offset) = 0;

  // Before anything is allocated for a scan: throws truncated if its data cannot be those of the frame.
  void check_claim(std::size_t data_offset);

  [[nodiscard]] Bytes data() const { return data_; }
  [[nodiscard]] bool strict() const { return strict_; }
  [[nodiscard]] const Frame& frame() const { return *frame_; }
  [[nodiscard]] const HuffmanSlots& huffman_slots() const { return huffman_slots_; }
  [[nodiscard]] std::size_t restart_interval() const { return restart_interval_; }
  // One a component; those of components whose scan is still to come are not there yet.
  [[nodiscard]] const std::vector<QuantTable>& quant_tables() const { return info_.quant_tables; }
  [[nodiscard]] bool has_end_marker() const { return has_end_marker_; }
  [[nodiscard]] bool complete() const { return complete_; }
  [[nodiscard]] Warnings& warnings() { return warnings_; }
  void mark_incomplete() { complete_ = false; }

 private:
  void read_start();
  void walk();
  // Returns false where reading ends.
  bool handle(const Segment& segment);
  void handle_frame(const Segment& segment);
  bool handle_scan(const Segment& segment);
  void handle_restart_interval(const Segment& segment);
  void handle_line_count(const Segment& segment);
  void handle_end(const Segment& segment);
  void first_scan();
  [[nodiscard]] const char* way_out(ErrorKind kind) const;
  Info finish();

  Bytes data_;
  bool strict_;
  std::uint64_t max_pixels_;

  std::size_t offset_ = 0;  // of the next segment
  Warnings warnings_;
  QuantSlots quant_slots_;
  HuffmanSlots huffman_slots_;
  std::size_t restart_interval_ = 0;
  ApplicationData application_;
  std::optional<Frame> frame_;
  std::optional<Progression> progression_;  // from the first scan on
  std::vector<bool> has_table_;             // a component
  bool stopped_ = false;        // by read_scan()
  bool keeps_some_ = false;  // damage from here on leaves something that strict == false can give
  bool has_end_marker_ = false;
  bool complete_ = true;
  Info info_;
};

}  // namespace freqlearn
