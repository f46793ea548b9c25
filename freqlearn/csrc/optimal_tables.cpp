#include "optimal_tables.hpp"

#include <algorithm>
#include <cstddef>
#include <queue>
#include <utility>
#include <vector>

namespace freqlearn {
namespace {

constexpr std::size_t kReserved = 256;  // a symbol of its own, of count 1: it gets the code of all ones
constexpr std::size_t kSymbols = 257;
constexpr std::size_t kMaxLength = 16;
constexpr std::size_t kNone = kSymbols;

using Lengths = std::array<std::size_t, kSymbols>;
using LengthCounts = std::array<std::size_t, kSymbols>;  // how many symbols have each length

struct Tree {
  std::uint64_t count;
  std::size_t symbol;  // one of its own

  // Of equally rare trees the one of the largest symbol comes first, so that the reserved one is deepest.
  friend bool operator<(const Tree& a, const Tree& b) {
    return a.count != b.count ? a.count > b.count : a.symbol < b.symbol;
  }
};

// Figure K.1: code lengths by merging the two rarest trees; `next` links the symbols of a tree.
Lengths code_lengths(const SymbolCounts& counts) {
  std::vector<Tree> used;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) used.push_back({counts[i], i});
  }
  used.push_back({1, kReserved});
  std::priority_queue<Tree> trees({}, std::move(used));
  Lengths lengths{};
  std::array<std::size_t, kSymbols> next;
  next.fill(kNone);
  while (trees.size() > 1) {
    const Tree first = trees.top();
    trees.pop();
    const Tree second = trees.top();
    trees.pop();
    trees.push({first.count + second.count, first.symbol});
    std::size_t last = first.symbol;
    for (std::size_t i = first.symbol; i != kNone; i = next[i]) {
      ++lengths[i];
      last = i;
    }
    next[last] = second.symbol;
    for (std::size_t i = second.symbol; i != kNone; i = next[i]) ++lengths[i];
  }
  return lengths;
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
  for (std::size_t symbol = 0; symbol < kReserved; ++symbol) {
    if (lengths[symbol] > 0) spec.symbols[spec.size++] = static_cast<std::uint8_t>(symbol);
  }
  std::stable_sort(spec.symbols.begin(), spec.symbols.begin() + static_cast<std::ptrdiff_t>(spec.size),
                   [&](std::uint8_t a, std::uint8_t b) { return lengths[a] < lengths[b]; });
  return spec;
}

}  // namespace freqlearn
