// A whole file: headers, the walk over its segments, and the assembly of its planes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cpu.hpp"
#include "frame.hpp"
#include "planes.hpp"
#include "quantisation.hpp"

namespace freqlearn {

struct Info {
  Frame frame;
  std::string color_space;
  // One a component, as it stood at the component's first scan; all zeros while no such table has come.
  std::vector<QuantTable> quant_tables;
  std::size_t restart_interval = 0;  // MCUs; 0 for none; of the first scan
  int orientation = 1;               // EXIF 1..8
  std::optional<int> adobe_transform;
  bool jfif = false;
  std::vector<std::string> warnings;
};

struct Decoded {
  Info info;
  std::vector<Plane> planes;
  bool complete = true;

  Decoded() = default;
  Decoded(Decoded&&) = default;
  Decoded& operator=(Decoded&&) = default;
  Decoded(const Decoded&) = delete;  // planes are large
};

// The headers up to the first scan.
Info read_info(Bytes data, std::uint64_t max_pixels);

// Walks all segments to EOI without decoding, and throws what decode() would for their structure. A file that ends
// without EOI gets a warning "missing EOI ...": only decoding can tell whether its last scan is whole.
Info check(Bytes data, std::uint64_t max_pixels);

// How sequential scans are decoded: fast, by the build for `set`, or by the readable decoder alone, which the fast one
// leaves all damage to. The result is the same.
struct Method {
  bool reference = false;
  InstructionSet set = best_instruction_set();
};

// All coefficients. With strict == false, damage behind the first scan header ends up in the warnings and
// complete == false; what could not be read is zero.
Decoded decode(Bytes data, bool strict, std::uint64_t max_pixels, const Method& method = {});

}  // namespace freqlearn
