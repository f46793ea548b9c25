#include "sequential_encoder.hpp"

#include <array>
#include <bit>
#include <cstdint>

#include "coefficient_coding.hpp"
#include "scan_blocks.hpp"

namespace freqlearn {
namespace {

constexpr unsigned kEndOfBlock = 0x00, kSixteenZeros = 0xF0;

template <class Sink>
class SequentialEncoder {
 public:
  SequentialEncoder(const ScanHeader& scan, Sink& sink) : scan_(scan), sink_(sink) {}

  void block(const ScanBlock& block) {
    const ScanHeader::Selection& selection = scan_.selections[block.position];
    dc(block, static_cast<std::size_t>(selection.dc_table));
    ac(block, static_cast<std::size_t>(selection.ac_table));
  }

  void restart(std::size_t index) {
    sink_.restart(index);
    predictors_.fill(0);
  }

 private:
  // A block that pads repeats the DC coefficient before it, which is the cheapest.
  void dc(const ScanBlock& block, std::size_t table) {
    std::int32_t& predictor = predictors_[block.position];
    const std::int32_t difference = block.coefficients == nullptr ? 0 : block.coefficients[0] - predictor;
    predictor += difference;
    const auto [size, bits] = magnitude_of(difference);
    if (size > kMaxDcSize) refuse_dc(scan_, block, difference);
    sink_.symbol(TableClass::dc, table, size, bits, size);
  }

  void ac(const ScanBlock& block, std::size_t table) {
    unsigned next = 1;
    if (block.coefficients != nullptr) {
      const ZigzagBand band(block.coefficients, 1, 63, 0);
      for (std::uint64_t rest = band.present(); rest != 0; rest &= rest - 1) {
        const auto k = static_cast<unsigned>(std::countr_zero(rest));
        for (; k - next > 15; next += 16) sink_.symbol(TableClass::ac, table, kSixteenZeros, 0, 0);
        const auto [size, bits] = magnitude_of(band.value(k));
        if (size > kMaxAcSize) refuse_ac(scan_, block, k);
        sink_.symbol(TableClass::ac, table, (k - next) << 4 | size, bits, size);
        next = k + 1;
      }
    }
    if (next < 64) sink_.symbol(TableClass::ac, table, kEndOfBlock, 0, 0);
  }

  const ScanHeader& scan_;
  Sink& sink_;
  std::array<std::int32_t, 4> predictors_{};
};

}  // namespace

template <class Sink>
void encode_sequential(const Picture& picture, const ScanHeader& scan, std::size_t restart_interval, Sink& sink) {
  SequentialEncoder<Sink> encoder(scan, sink);
  walk_scan(
      picture, scan, restart_interval, [&](const ScanBlock& block) { encoder.block(block); },
      [&](std::size_t index) { encoder.restart(index); });
  sink.finish();
}

template void encode_sequential(const Picture&, const ScanHeader&, std::size_t, SymbolCounter&);
template void encode_sequential(const Picture&, const ScanHeader&, std::size_t, SymbolWriter&);

}  // namespace freqlearn
