// The loop that all decoding time goes into; included once for each instruction set, as FREQLEARN_SET.
//
// Decoding is one chain: shift the window, look up, shift by what was found. All else is kept out of it: the refill
// loads from where the refill before it said, coefficients' bits are taken from the window beside the chain, and nothing
// is asked about a look-up but whether it ended the block. Whatever is rare ends the loop too, and is sorted out there.
//
// FREQLEARN_PLAIN_LOOPS: without what only some compilers have, so that these can test what others make of it.
#include <cstdlib>
#include <cstring>

#include "fast_blocks.hpp"

#if defined(__GNUC__) && !defined(FREQLEARN_PLAIN_LOOPS)
#define FREQLEARN_INLINE inline __attribute__((always_inline))
#define FREQLEARN_COLD __attribute__((noinline, cold))
#define FREQLEARN_LIKELY(x) __builtin_expect(static_cast<bool>(x), 1)
#elif defined(_MSC_VER)
#define FREQLEARN_INLINE __forceinline
#define FREQLEARN_COLD __declspec(noinline)
#define FREQLEARN_LIKELY(x) (x)
#else
#define FREQLEARN_INLINE inline
#define FREQLEARN_COLD
#define FREQLEARN_LIKELY(x) (x)
#endif

namespace freqlearn::FREQLEARN_SET {
namespace {

FREQLEARN_INLINE std::uint64_t load_big_endian(const std::uint8_t* p) {
#if defined(__GNUC__) && !defined(FREQLEARN_PLAIN_LOOPS)
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(word) : word;
#elif defined(_MSC_VER)
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return _byteswap_uint64(word);
#else
  std::uint64_t word = 0;
  for (int i = 0; i < 8; ++i) word = word << 8 | p[i];
  return word;
#endif
}

FREQLEARN_INLINE void refill(BitState& bits) {
  bits.window |= load_big_endian(bits.next) >> (bits.count & 63);
  bits.next += ~bits.count >> 3 & 7;
  bits.count |= 56;
}

FREQLEARN_INLINE void drop(BitState& bits, std::uint64_t length) {
  bits.window <<= length & 63;
  bits.count -= length;
}

// The number of 63 - `spare` bits that begin `shift` bits into the window (EXTEND of T.81 F.2.2.1).
FREQLEARN_INLINE std::int32_t number(std::uint64_t window, std::uint64_t shift, std::uint64_t spare) {
  const std::uint64_t bits = window << (shift & 63);
  const std::uint64_t negative = ~static_cast<std::uint64_t>(static_cast<std::int64_t>(bits) >> 63);
  const std::uint64_t magnitude = (bits ^ negative) >> 1 >> (spare & 63);
  return static_cast<std::int32_t>((magnitude ^ negative) - negative);
}

// Gives `length` bits back.
FREQLEARN_INLINE BitState rewound(BitState bits, std::uint64_t length) {
  const std::uint64_t held = (bits.count & 63) + length;  // bits before `next`
  bits.next -= (held + 7) / 8;
  const std::uint64_t taken = (8 - held % 8) % 8;
  bits.window = load_big_endian(bits.next) << taken;
  bits.count = 64 - taken;
  bits.next += 8;
  if (bits.count == 64) {  // one byte less, as a refill wants less than 64
    --bits.next;
    bits.count = 56;
    bits.window &= ~std::uint64_t{255};
  }
  return bits;
}

// The symbol of the next code, of any length, or -1.
FREQLEARN_INLINE int take_symbol(BitState& bits, const CanonicalCodes& codes) {
  const auto next = static_cast<std::uint32_t>(bits.window >> 48);
  for (unsigned length = 1; length <= 16; ++length) {
    if (next < codes.limit[length]) {
      drop(bits, length);
      return codes.symbols[(static_cast<std::int32_t>(next >> (16 - length)) + codes.offset[length]) & 255];
    }
  }
  return -1;
}

// State by value, here and below: what has an address does not stay in registers.
struct Reached {
  BitState bits;
  std::uint64_t k = 0;  // the last place that was reached, kEndOfBlock or more for the end; 0: a fault
};

// The symbol whose look-up said nothing, or too much: `length` bits are given back, and one symbol is decoded from
// place `k` on.
FREQLEARN_COLD Reached take_coefficient(BitState bits, std::uint64_t length, const CanonicalCodes& codes,
                                        std::uint64_t k, const std::uint8_t* places, Coefficient* block) {
  bits = rewound(bits, length);
  refill(bits);
  const int symbol = take_symbol(bits, codes);
  const unsigned run = static_cast<unsigned>(symbol) >> 4, size = static_cast<unsigned>(symbol) & 15;
  if (symbol == 0) {
    k = kEndOfBlock;
  } else if (symbol < 0 || (size == 0 && run != 15)) {
    k = 0;
  } else {
    k += run + 1;
    if (k > 63) return {bits, 0};
    if (size > 0) {
      block[places[k]] = static_cast<Coefficient>(number(bits.window, 0, 63 - size));
      drop(bits, size);
    }
  }
  refill(bits);
  return {bits, k};
}

// A DC difference whose code is longer than the index; k == 0 is a fault.
FREQLEARN_COLD Reached take_long_dc(BitState bits, const CanonicalCodes& codes, std::uint32_t* predictor) {
  const int size = take_symbol(bits, codes);
  if (size < 0) return {bits, 0};
  *predictor += static_cast<std::uint32_t>(number(bits.window, 0, 63 - static_cast<unsigned>(size)));
  drop(bits, static_cast<unsigned>(size));
  refill(bits);
  return {bits, 1};
}

// Whether a look-up that began inside of a block ended it as it should: at coefficient 63, or before it with an end of
// block. Elsewhere something else was there, or the first of its codes had ended the block already.
FREQLEARN_INLINE bool ended(std::uint64_t k) { return k == 63 || k - kEndOfBlock < 63; }

// Stores coefficients from place 1 on, until one lies at `stored` or behind it.
FREQLEARN_INLINE Reached store_coefficients(BitState bits, const FastAcTable& table, std::uint64_t stored,
                                            const std::uint8_t* places, Coefficient* block) {
  const std::uint64_t* const entries = table.entries;
  std::uint64_t k = 0;
  std::uint64_t entry;
  for (;;) {
    for (;;) {
      entry = entries[bits.window >> (64 - kFastBits)];
      k += entry >> ac_entry::kAdvance & 255;
      block[places[k]] = static_cast<Coefficient>(entry >> ac_entry::kValue);
      k += entry >> ac_entry::kLastAdvance;
      block[places[k]] = static_cast<Coefficient>(
          number(bits.window, entry >> ac_entry::kLastShift, entry >> ac_entry::kLastSpare));
      drop(bits, entry);
      if (k >= stored) break;
      entry = entries[bits.window >> (64 - kFastBits)];
      refill(bits);
      k += entry >> ac_entry::kAdvance & 255;
      block[places[k]] = static_cast<Coefficient>(entry >> ac_entry::kValue);
      k += entry >> ac_entry::kLastAdvance;
      block[places[k]] = static_cast<Coefficient>(
          number(bits.window, entry >> ac_entry::kLastShift, entry >> ac_entry::kLastSpare));
      drop(bits, entry);
      if (k >= stored) break;
    }
    if (FREQLEARN_LIKELY(k <= 63 || ended(k))) return {bits, k};
    const Reached reached = take_coefficient(
        bits, entry & 255, table.codes,
        k - (entry >> ac_entry::kAdvance & 255) - (entry >> ac_entry::kLastAdvance), places, block);
    if (reached.k == 0 || reached.k >= stored) return reached;
    bits = reached.bits;
    k = reached.k;
  }
}

// As store_coefficients, from place `k` on to the end of the block and to nowhere.
FREQLEARN_INLINE Reached skip_coefficients(BitState bits, const FastAcTable& table, std::uint64_t k,
                                           const std::uint8_t* places) {
  const std::uint16_t* const entries = table.skips;
  std::uint64_t entry;
  for (;;) {
    for (;;) {
      entry = entries[bits.window >> (64 - kFastBits)];
      refill(bits);  // in the first: store_coefficients may have left no more than it takes to find this entry
      k += entry >> skip_entry::kAdvance;
      drop(bits, entry);
      if (k >= 63) break;
      entry = entries[bits.window >> (64 - kFastBits)];
      k += entry >> skip_entry::kAdvance;
      drop(bits, entry);
      if (k >= 63) break;
    }
    if (FREQLEARN_LIKELY(ended(k))) return {bits, k};
    Coefficient nowhere[64];
    const Reached reached =
        take_coefficient(bits, entry & 255, table.codes, k - (entry >> skip_entry::kAdvance), places, nowhere);
    if (reached.k == 0 || reached.k >= 63) return reached;
    bits = reached.bits;
    k = reached.k;
  }
}

FREQLEARN_INLINE void clear(Coefficient* block) {
  static constexpr Coefficient kZeros[64] = {};
  std::memcpy(block, kZeros, sizeof kZeros);  // gcc writes a memset of this size as "rep stos", which takes far longer
}

bool decode_mcus(BitState& state, const std::uint8_t* data_end, const BlockSlot* slots, std::size_t count,
                 std::size_t begin, std::size_t end, const std::uint8_t* places) {
  BitState bits = state;
  refill(bits);
  // As far as `next` is ahead of the bits that are taken, at most.
  const std::uint8_t* const limit = data_end + sizeof bits.window;
  for (std::size_t mcu = begin; mcu < end; ++mcu) {
    for (const BlockSlot* slot = slots; slot != slots + count; ++slot) {
      if (bits.next > limit) return false;
      const std::uint64_t dc = slot->dc->entries[bits.window >> (64 - kFastDcBits)];
      refill(bits);
      std::uint32_t* const predictor = slot->dc_predictor;
      if (FREQLEARN_LIKELY(dc != 0)) {
        *predictor += static_cast<std::uint32_t>(number(bits.window, dc >> dc_entry::kShift, dc >> dc_entry::kSpare));
        drop(bits, dc);
      } else {
        const Reached reached = take_long_dc(bits, slot->dc->codes, predictor);
        if (reached.k == 0) return false;
        bits = reached.bits;
      }
      Reached reached{bits, 0};
      if (mcu - slot->store_begin < slot->store_end - slot->store_begin) {
        Coefficient* const block = slot->out + (mcu - slot->store_begin) * slot->stride;
        clear(block);
        if (FREQLEARN_LIKELY(slot->stored == 63)) {  // as a constant, which takes no register
          reached = store_coefficients(bits, *slot->ac, 63, places, block);
          if (reached.k == 0) return false;
        } else if (slot->stored > 0) {
          reached = store_coefficients(bits, *slot->ac, slot->stored, places, block);
          if (reached.k == 0) return false;
        }
        block[0] = static_cast<Coefficient>(*predictor);
      }
      if (reached.k < 63) {
        reached = skip_coefficients(reached.bits, *slot->ac, reached.k, places);
        if (reached.k == 0) return false;
      }
      bits = reached.bits;
    }
  }
  bits.count &= 63;
  state = bits;
  return static_cast<std::int64_t>(data_end - bits.next) * 8 + static_cast<std::int64_t>(bits.count) >= 0;
}

}  // namespace

extern const DecodeMcus kDecodeMcus;
const DecodeMcus kDecodeMcus = decode_mcus;

}  // namespace freqlearn::FREQLEARN_SET
