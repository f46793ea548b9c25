// Where an encoder's symbols go: first counted, for the tables; then written.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "bit_writer.hpp"
#include "huffman.hpp"
#include "optimal_tables.hpp"

namespace freqlearn {

inline constexpr std::size_t kWriterTables = 2;  // of each class, all that baseline allows

enum class TableClass : std::uint8_t { dc = 0, ac = 1 };

// By class and number.
template <class T>
using PerTable = std::array<std::array<T, kWriterTables>, 2>;

// A table's codes (T.81 annex C), by symbol.
struct HuffmanCodes {
  struct Code {
    std::uint16_t bits = 0;
    std::uint8_t length = 0;  // 0: none
  };
  std::array<Code, 256> codes{};

  HuffmanCodes() = default;
  explicit HuffmanCodes(const HuffmanSpec& spec) {
    std::uint32_t code = 0;
    std::size_t index = 0;
    for (unsigned length = 1; length <= 16; ++length, code <<= 1) {
      for (unsigned i = 0; i < spec.counts[length]; ++i, ++code) {
        codes[spec.symbols[index++]] = {static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(length)};
      }
    }
  }
};

class SymbolCounter {
 public:
  explicit SymbolCounter(PerTable<SymbolCounts>& counts) : counts_(counts) {}

  void symbol(TableClass kind, std::size_t table, unsigned symbol, std::uint32_t, unsigned) {
    ++counts_[static_cast<std::size_t>(kind)][table][symbol];
  }
  void bits(std::uint32_t, unsigned) {}
  void restart(std::size_t) {}
  void finish() {}

 private:
  PerTable<SymbolCounts>& counts_;
};

class SymbolWriter {
 public:
  SymbolWriter(const PerTable<HuffmanCodes>& codes, BitWriter bits) : codes_(codes), bits_(bits) {}

  // A symbol's code and the `length` bits, at most 16, that belong to it.
  void symbol(TableClass kind, std::size_t table, unsigned symbol, std::uint32_t bits, unsigned length) {
    const HuffmanCodes::Code code = codes_[static_cast<std::size_t>(kind)][table].codes[symbol];
    if (code.length == 0) [[unlikely]] {
      throw std::invalid_argument("expected coefficients that stay as they are while they are written, got others");
    }
    bits_.put(std::uint32_t{code.bits} << length | bits, code.length + length);
  }
  void bits(std::uint32_t bits, unsigned length) { bits_.put(bits, length); }
  void restart(std::size_t index) { bits_.restart(index); }
  void finish() { bits_.flush(); }

 private:
  const PerTable<HuffmanCodes>& codes_;
  BitWriter bits_;
};

}  // namespace freqlearn
