#include "mutate.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace fuzz {
namespace {

// Bytes that mean something inside a JPEG file: markers, stuffing, extremes.
constexpr std::array<std::uint8_t, 16> kTelling = {0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF, 0xD0, 0xD1,
                                                   0xD7, 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xDD, 0xC2};

void change_byte(File& file, std::size_t at, Random& random) {
  switch (random.below(3)) {
    case 0: file[at] ^= static_cast<std::uint8_t>(1u << random.below(8)); break;
    case 1: file[at] = static_cast<std::uint8_t>(random.next()); break;
    default: file[at] = kTelling[random.below(kTelling.size())]; break;
  }
}

// A part of `range`, mostly short.
Range part_of(Range range, Random& random) {
  const std::size_t begin = range.begin + random.below(range.end - range.begin);
  const std::size_t longest = random.chance(80) ? std::min<std::size_t>(16, range.end - begin) : range.end - begin;
  return {begin, begin + 1 + random.below(longest)};
}

auto at(File& file, std::size_t offset) { return file.begin() + static_cast<std::ptrdiff_t>(offset); }
auto at(const File& file, std::size_t offset) { return file.begin() + static_cast<std::ptrdiff_t>(offset); }

void change_bytes(File& file, Range range, Random& random) {
  const std::size_t count = 1 + random.below(random.chance(70) ? 2 : 12);
  for (std::size_t i = 0; i < count; ++i) {
    change_byte(file, range.begin + random.below(range.end - range.begin), random);
  }
}

void repeat_part(File& file, Range range, Random& random) {
  const Range part = part_of(range, random);
  const File copy(at(file, part.begin), at(file, part.end));
  for (std::size_t times = 1 + random.below(4); times > 0; --times) {
    file.insert(at(file, part.end), copy.begin(), copy.end());
  }
}

void splice(File& file, Range range, const Seed& other, Random& random) {
  const bool scan = !other.entropy_coded.empty() && random.chance(70);
  Range source{0, other.bytes.size()};
  if (scan) source = other.entropy_coded[random.below(other.entropy_coded.size())];
  const Range from = part_of(source, random), to = part_of(range, random);
  const File copy(at(other.bytes, from.begin), at(other.bytes, from.end));
  file.erase(at(file, to.begin), at(file, to.end));
  file.insert(at(file, to.begin), copy.begin(), copy.end());
}

void mutate_once(File& file, Range range, const std::vector<Seed>& seeds, Random& random) {
  switch (random.below(10)) {
    case 0: file.resize(range.begin + random.below(range.end - range.begin)); break;
    case 1: {
      const Range part = part_of(range, random);
      file.erase(at(file, part.begin), at(file, part.end));
      break;
    }
    case 2: repeat_part(file, range, random); break;
    case 3:
    case 4: splice(file, range, seeds[random.below(seeds.size())], random); break;
    default: change_bytes(file, range, random); break;
  }
}

}  // namespace

std::uint64_t Random::next() {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

Seed make_seed(std::string name, File bytes) {
  Seed seed{std::move(name), std::move(bytes), {}};
  const File& b = seed.bytes;
  std::size_t offset = 2;
  while (offset + 4 <= b.size() && b[offset] == 0xFF) {
    const bool is_scan = b[offset + 1] == 0xDA;
    offset += 2 + static_cast<std::size_t>(b[offset + 2] << 8 | b[offset + 3]);
    if (!is_scan) continue;
    const std::size_t begin = offset;
    const auto ends_here = [&b](std::size_t i) { return b[i] == 0xFF && b[i + 1] != 0 && (b[i + 1] & 0xF8) != 0xD0; };
    while (offset + 1 < b.size() && !ends_here(offset)) ++offset;
    if (offset > begin) seed.entropy_coded.push_back({begin, offset});
  }
  return seed;
}

Mutant mutate(const std::vector<Seed>& seeds, Random& random) {
  const Seed& seed = seeds[random.below(seeds.size())];
  Mutant mutant{seed.bytes, !seed.entropy_coded.empty() && random.chance(65)};
  Range range{2, seed.bytes.size()};
  if (mutant.inside_entropy_coded) {
    range = seed.entropy_coded[random.below(seed.entropy_coded.size())];
  } else if (random.chance(60) && !seed.entropy_coded.empty()) {
    range.end = seed.entropy_coded.front().begin;  // headers: few bytes, many rules
  }
  mutate_once(mutant.bytes, range, seeds, random);
  // Once more elsewhere, while offsets still mean what they did.
  if (mutant.bytes.size() == seed.bytes.size() && random.chance(30)) mutate_once(mutant.bytes, range, seeds, random);
  return mutant;
}

}  // namespace fuzz
