#include "sequential.hpp"

#include <algorithm>

#include "quantisation.hpp"

namespace freqlearn {
namespace {

void decode_block(ScanComponent& component, Block block, BitReader& bits) {
  bits.refill();
  const int dc_size = component.dc->decode(bits);
  if (dc_size < 0) throw EntropyFault{"expected a DC code of the Huffman table, got another"};
  component.dc_predictor += static_cast<std::uint32_t>(bits.take_signed(static_cast<unsigned>(dc_size)));
  block[0] = static_cast<Coefficient>(component.dc_predictor);

  for (unsigned k = 1; k < 64;) {
    bits.refill();
    const int symbol = component.ac->decode(bits);
    if (symbol < 0) throw EntropyFault{"expected an AC code of the Huffman table, got another"};
    const unsigned run = static_cast<unsigned>(symbol) >> 4, size = symbol & 15;
    if (size == 0) {
      if (run == 0) break;  // end of block
      if (run != 15) throw EntropyFault{"expected a coefficient after a run of zeros, got none"};
      k += 16;
      if (k > 64) throw EntropyFault{"a run of zeros goes past coefficient 63"};
      continue;
    }
    k += run;
    if (k > 63) throw EntropyFault{"a run of zeros goes past coefficient 63"};
    block[kNatural[k]] = static_cast<Coefficient>(bits.take_signed(size));
    ++k;
  }
}

}  // namespace

void decode_sequential(Scan& scan, std::size_t first, std::size_t count, BitReader& bits) {
  for (ScanComponent& component : scan.components) component.dc_predictor = 0;
  for_each_block(scan, first, count, [&bits](ScanComponent& component, Block block) {
    decode_block(component, block, bits);
    if (bits.overrun()) [[unlikely]] {
      std::fill_n(block, 64, Coefficient{0});  // made of bits that are not this block's
      throw EntropyFault{"end of data"};
    }
  });
}

}  // namespace freqlearn
