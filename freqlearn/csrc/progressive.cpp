#include "progressive.hpp"

#include <algorithm>
#include <bit>

#include "quantisation.hpp"

namespace freqlearn {
namespace {

constexpr const char* kNotAnAcCode = "expected an AC code of the Huffman table, got another";
constexpr const char* kPastBand = "a run of zeros goes past the last coefficient of the band";
constexpr const char* kDataEnded = "end of data";

// `value` * 2^low, modulo 2^16 as in libjpeg (damaged files overflow).
Coefficient shifted(std::int32_t value, unsigned low) {
  return static_cast<Coefficient>(static_cast<std::uint32_t>(value) << low);
}

std::uint64_t bit_of(unsigned k) { return std::uint64_t{1} << k; }

// Length of the run of blocks whose band has ended, this one included; `run` is the high half of an EOBn symbol.
std::size_t take_end_of_band_run(BitReader& bits, unsigned run) { return (std::size_t{1} << run) + bits.take(run); }

// The scan's band of one block while its next bit is read.
class BandRefiner {
 public:
  BandRefiner(const ScanHeader& header, BitReader& bits)
      : bits_(bits), begin_(header.spectral_begin), end_(header.spectral_end), low_(header.approx_low) {
    band_ = (~std::uint64_t{0} >> (63 - end_)) & (~std::uint64_t{0} << begin_);
  }

  // Decodes one block and returns how many more blocks have no new coefficients.
  std::size_t refine(Block block, std::uint64_t& mask, const HuffmanTable& table);

  // The rest of the band from coefficient `k` on has no new coefficients: one bit for each that is not zero.
  void correct_all(Block block, std::uint64_t mask, unsigned k) {
    correct(block, mask & band_ & (~std::uint64_t{0} << k));
  }

  [[nodiscard]] unsigned begin() const { return begin_; }
  [[nodiscard]] bool has_corrections(std::uint64_t mask) const { return (mask & band_) != 0; }

 private:
  // For each of the coefficients one bit says whether its magnitude has a further bit. Half of the bits are ones, so
  // nothing here branches on them.
  void correct(Block block, std::uint64_t coefficients) {
    constexpr unsigned kRefill = 32;
    for (unsigned n = 0; coefficients != 0; coefficients &= coefficients - 1, ++n) {
      if (n % kRefill == 0) bits_.refill();
      Coefficient& coefficient = block[kNatural[static_cast<unsigned>(std::countr_zero(coefficients))]];
      const std::int32_t value = coefficient, sign = value >> 15;
      // Not where the bit is set already: libjpeg's test, which keeps scans that repeat a bit from counting it twice.
      const auto bit = static_cast<std::int32_t>(bits_.take(1)) & ~(value >> low_);
      coefficient = static_cast<Coefficient>(value + (((bit << low_) ^ sign) - sign));
    }
  }

  // Corrects what lies before the place that is `zeros` zero coefficients ahead, and returns that place.
  unsigned skip_zeros(Block block, std::uint64_t mask, unsigned k, unsigned zeros) {
    const std::uint64_t rest = band_ & (~std::uint64_t{0} << k);
    std::uint64_t empty = ~mask & rest;
    for (; zeros > 0; --zeros) empty &= empty - 1;
    const std::uint64_t place = empty & (~empty + 1);  // its lowest bit; none at all: everything lies before it
    correct(block, mask & rest & (place - 1));
    if (empty == 0) throw EntropyFault{kPastBand};
    return static_cast<unsigned>(std::countr_zero(place));
  }

  BitReader& bits_;
  unsigned begin_, end_, low_;
  std::uint64_t band_;
};

std::size_t BandRefiner::refine(Block block, std::uint64_t& mask, const HuffmanTable& table) {
  for (unsigned k = begin_; k <= end_; ++k) {
    bits_.refill();
    const int symbol = table.decode(bits_);
    if (symbol < 0) throw EntropyFault{kNotAnAcCode};
    const unsigned run = static_cast<unsigned>(symbol) >> 4, size = symbol & 15;
    if (size > 1) throw EntropyFault{"expected a new coefficient of one bit, got more"};
    if (size == 0 && run < 15) {
      const std::size_t blocks = take_end_of_band_run(bits_, run);
      correct_all(block, mask, k);
      return blocks - 1;
    }
    const std::int32_t sign = size == 1 && bits_.take(1) == 0 ? -1 : 1;
    k = skip_zeros(block, mask, k, run);
    if (size == 1) {
      block[kNatural[k]] = shifted(sign, low_);
      mask |= bit_of(k);
    }
  }
  return 0;
}

}  // namespace

void decode_dc_first(Scan& scan, std::size_t first, std::size_t count, BitReader& bits) {
  for (ScanComponent& component : scan.components) component.dc_predictor = 0;
  const unsigned low = scan.header.approx_low;
  for_each_block(scan, first, count, [&bits, low](ScanComponent& component, Block block) {
    bits.refill();
    const int size = component.dc->decode(bits);
    if (size < 0) throw EntropyFault{"expected a DC code of the Huffman table, got another"};
    component.dc_predictor += static_cast<std::uint32_t>(bits.take_signed(static_cast<unsigned>(size)));
    if (bits.overrun()) throw EntropyFault{kDataEnded};
    block[0] = shifted(static_cast<std::int32_t>(component.dc_predictor), low);
  });
}

void decode_dc_refinement(Scan& scan, std::size_t first, std::size_t count, BitReader& bits) {
  const auto bit = static_cast<Coefficient>(1 << scan.header.approx_low);
  for_each_block(scan, first, count, [&bits, bit](ScanComponent&, Block block) {
    bits.refill();
    const bool set = bits.take(1) != 0;
    if (bits.overrun()) throw EntropyFault{kDataEnded};
    if (set) block[0] = static_cast<Coefficient>(block[0] | bit);
  });
}

void decode_ac_first(Scan& scan, std::size_t first, std::size_t count, BitReader& bits) {
  const ScanComponent& component = scan.components.front();
  const unsigned end = scan.header.spectral_end, low = scan.header.approx_low;
  std::size_t index = first;
  while (index < first + count) {
    const Block block = component.plane->block(index);
    std::uint64_t& mask = component.plane->masks()[index];
    std::size_t blocks = 1;
    for (unsigned k = scan.header.spectral_begin; k <= end;) {
      bits.refill();
      const int symbol = component.ac->decode(bits);
      if (symbol < 0) throw EntropyFault{kNotAnAcCode};
      const unsigned run = static_cast<unsigned>(symbol) >> 4, size = symbol & 15;
      if (size == 0 && run < 15) {
        blocks = take_end_of_band_run(bits, run);
        break;
      }
      k += run;
      if (k > end) throw EntropyFault{kPastBand};
      if (size > 0) {
        const Coefficient value = shifted(bits.take_signed(size), low);
        block[kNatural[k]] = value;
        mask = value != 0 ? mask | bit_of(k) : mask & ~bit_of(k);
      }
      ++k;
    }
    if (bits.overrun()) throw EntropyFault{kDataEnded};
    index += blocks;  // blocks of the run have nothing in this band, and nothing is spent on them
  }
  if (index > first + count) throw EntropyFault{"a run of empty blocks goes past the end of the scan or interval"};
}

void decode_ac_refinement(Scan& scan, std::size_t first, std::size_t count, BitReader& bits) {
  const ScanComponent& component = scan.components.front();
  BandRefiner refiner(scan.header, bits);
  std::uint64_t* const masks = component.plane->masks();
  const std::size_t last = first + count;
  std::size_t index = first, run = 0;  // blocks left without new coefficients
  while (index < last) {
    if (run == 0) {
      run = refiner.refine(component.plane->block(index), masks[index], *component.ac);
    } else {
      // Empty blocks take no bits, so a short file can hold very many: nothing but their masks is looked at.
      const std::size_t stop = std::min(last, index + run), begin = index;
      while (index < stop && !refiner.has_corrections(masks[index])) ++index;
      run -= index - begin;
      if (index == stop) continue;
      refiner.correct_all(component.plane->block(index), masks[index], refiner.begin());
      --run;
    }
    ++index;
    if (bits.overrun()) throw EntropyFault{kDataEnded};
  }
  if (run > 0) throw EntropyFault{"a run of empty blocks goes past the end of the scan or interval"};
}

}  // namespace freqlearn
