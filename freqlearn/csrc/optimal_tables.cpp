#include "optimal_tables.hpp"

#include <algorithm>
#include <cstddef>

namespace freqlearn {
namespace {

constexpr std::size_t kReserved = 256;  // a symbol of its own, of count 1: it gets the code of all ones
constexpr std::size_t kSymbols = 257;
constexpr std::size_t kMaxLength = 16;
constexpr std::size_t kNone = kSymbols;

using Lengths = std::array<std::size_t, kSymbols>;
using LengthCounts = std::array<std::size_t, kSymbols>;  // how many symbols have each length

// Two trees that are rarest; of equally rare ones the one of the largest symbol, so that the reserved one is deepest.
struct Rarest {
  std::size_t first = kNone, second = kNone;
};

Rarest find_rarest(const std::array<std::uint64_t, kSymbols>& counts) {
  Rarest rarest;
  for (std::size_t i = 0; i < kSymbols; ++i) {
    if (counts[i] == 0) continue;
    if (rarest.first == kNone || counts[i] <= counts[rarest.first]) {
      rarest.second = rarest.first;
      rarest.first = i;
    } else if (rarest.second == kNone || counts[i] <= counts[rarest.second]) {
      rarest.second = i;
    }
  }
  return rarest;
}

// Figure K.1: code lengths by merging trees; `next` links the symbols of a tree.
Lengths code_lengths(const SymbolCounts& symbol_counts) {
  std::array<std::uint64_t, kSymbols> counts{};
  std::copy(symbol_counts.begin(), symbol_counts.end(), counts.begin());
  counts[kReserved] = 1;
  Lengths lengths{};
  std::array<std::size_t, kSymbols> next;
  next.fill(kNone);
  for (;;) {
    const auto [first, second] = find_rarest(counts);
    if (second == kNone) return lengths;
    counts[first] += counts[second];
    counts[second] = 0;
    std::size_t last = first;
    for (std::size_t i = first; i != kNone; i = next[i]) {
      ++lengths[i];
      last = i;
    }
    next[last] = second;
    for (std::size_t i = second; i != kNone; i = next[i]) ++lengths[i];
  }
}

// Figure K.3: two of the longest codes give way to one a bit shorter, and a code elsewhere becomes two longer ones.
void limit(LengthCounts& counts) {
  for (std::size_t length = kSymbols - 1; length > kMaxLength; --length) {
    while (counts[length] > 0) {
      std::size_t shorter = length - 2;
      while (counts[shorter] == 0) --shorter;
      counts[length] -= 2;
      counts[length - 1] += 1;
      counts[shorter + 1] += 2;
      counts[shorter] -= 1;
    }
  }
}

}  // namespace

HuffmanSpec optimal_table(const SymbolCounts& counts) {
  const Lengths lengths = code_lengths(counts);
  LengthCounts by_length{};
  for (const std::size_t length : lengths) ++by_length[length];
  by_length[0] = 0;
  limit(by_length);
  // The reserved symbol takes one of the longest.
  std::size_t longest = kMaxLength;
  while (longest > 0 && by_length[longest] == 0) --longest;
  if (longest > 0) --by_length[longest];

  HuffmanSpec spec;
  for (std::size_t length = 1; length <= kMaxLength; ++length) {
    spec.counts[length] = static_cast<std::uint8_t>(by_length[length]);
  }
  // By their unlimited lengths, then by value (figure K.4).
  for (std::size_t length = 1; length < kSymbols; ++length) {
    for (std::size_t symbol = 0; symbol < kReserved; ++symbol) {
      if (lengths[symbol] == length) spec.symbols[spec.size++] = static_cast<std::uint8_t>(symbol);
    }
  }
  return spec;
}

}  // namespace freqlearn
