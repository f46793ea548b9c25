// Mutations of JPEG files, the same for the same random state.
#pragma once

#include <cstdint>
#include <cstddef>
#include <string>
#include <vector>

namespace fuzz {

using File = std::vector<std::uint8_t>;

// SplitMix64 (Steele, Lea, Flood 2014): any state is a good one, so (seed, mutation) gives each its own numbers.
class Random {
 public:
  explicit Random(std::uint64_t state) : state_(state) {}
  std::uint64_t next();
  // Uniform enough below `limit` > 0.
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(next() % limit); }
  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  std::uint64_t state_;
};

// Bytes [begin, end) of a file.
struct Range {
  std::size_t begin = 0, end = 0;
};

struct Seed {
  std::string name;
  File bytes;
  std::vector<Range> entropy_coded;  // the data of each scan
};

// Finds the scans by walking the marker segments of a valid file.
Seed make_seed(std::string name, File bytes);

struct Mutant {
  File bytes;
  bool inside_entropy_coded = false;  // every change is inside entropy-coded data
};

Mutant mutate(const std::vector<Seed>& seeds, Random& random);

}  // namespace fuzz
