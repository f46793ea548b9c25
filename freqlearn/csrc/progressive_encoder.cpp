#include "progressive_encoder.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "coefficient_coding.hpp"
#include "scan_blocks.hpp"

namespace freqlearn {
namespace {

constexpr unsigned kSixteenZeros = 0xF0;
constexpr std::uint32_t kLongestRun = 0x7FFF;  // of blocks whose band has ended
// libjpeg's limit of bits that wait for the end of a run; the choice changes sizes by almost nothing.
constexpr std::size_t kMostWaitingBits = 1000 - 63;

template <class Sink>
class ProgressiveEncoder {
 public:
  ProgressiveEncoder(const ScanHeader& scan, Sink& sink)
      : scan_(scan), sink_(sink), table_(static_cast<std::size_t>(scan.selections.front().ac_table)) {}

  void block(const ScanBlock& block) {
    if (scan_.is_dc()) {
      scan_.is_refinement() ? dc_refinement(block) : dc_first(block);
    } else {
      scan_.is_refinement() ? ac_refinement(block) : ac_first(block);
    }
  }

  void restart(std::size_t index) {
    end_run();
    sink_.restart(index);
    predictors_.fill(0);
  }

  void finish() {
    end_run();
    sink_.finish();
  }

 private:
  using Bits = std::vector<std::uint8_t>;

  // A block that pads repeats the DC coefficient before it.
  void dc_first(const ScanBlock& block) {
    const unsigned low = scan_.approx_low;
    std::int32_t& predictor = predictors_[block.position];
    const std::int32_t difference = block.coefficients == nullptr ? 0 : (block.coefficients[0] >> low) - predictor;
    predictor += difference;
    const auto [size, bits] = magnitude_of(difference);
    if (size > kMaxDcSize) refuse_dc(scan_, block, difference * (1 << low));
    const auto table = static_cast<std::size_t>(scan_.selections[block.position].dc_table);
    sink_.symbol(TableClass::dc, table, size, bits, size);
  }

  void dc_refinement(const ScanBlock& block) {
    const std::int32_t value = block.coefficients == nullptr ? 0 : block.coefficients[0];
    sink_.bits(static_cast<std::uint32_t>(value >> scan_.approx_low) & 1, 1);
  }

  void ac_first(const ScanBlock& block) {
    const ZigzagBand band(block.coefficients, scan_.spectral_begin, scan_.spectral_end, scan_.approx_low);
    unsigned next = scan_.spectral_begin;
    for (std::uint64_t rest = band.present(); rest != 0; rest &= rest - 1) {
      const auto k = static_cast<unsigned>(std::countr_zero(rest));
      end_run();
      for (; k - next > 15; next += 16) sink_.symbol(TableClass::ac, table_, kSixteenZeros, 0, 0);
      const auto [size, bits] = magnitude_of(band.value(k));
      if (size + scan_.approx_low > kMaxAcSize) refuse_ac(scan_, block, k);
      sink_.symbol(TableClass::ac, table_, (k - next) << 4 | size, bits, size);
      next = k + 1;
    }
    if (next <= scan_.spectral_end) extend_run({});
  }

  // One more bit of those that are known, and those that are new with this bit (T.81 G.1.2.3).
  void ac_refinement(const ScanBlock& block) {
    const ZigzagBand band(block.coefficients, scan_.spectral_begin, scan_.spectral_end, scan_.approx_low);
    std::uint64_t fresh = 0;
    for (std::uint64_t rest = band.present(); rest != 0; rest &= rest - 1) {
      const auto k = static_cast<unsigned>(std::countr_zero(rest));
      if (std::abs(band.value(k)) == 1) fresh |= std::uint64_t{1} << k;
    }
    corrections_.clear();
    unsigned zeros = 0, next = scan_.spectral_begin;
    for (std::uint64_t rest = band.present(); rest != 0; rest &= rest - 1) {
      const auto k = static_cast<unsigned>(std::countr_zero(rest));
      zeros += k - next;
      next = k + 1;
      // A run of sixteen only where something new follows: else the end of the band says it all.
      for (; zeros > 15 && fresh >> k != 0; zeros -= 16) {
        end_run();
        sink_.symbol(TableClass::ac, table_, kSixteenZeros, 0, 0);
        put(corrections_);
      }
      const std::int32_t value = band.value(k);
      if ((fresh >> k & 1) == 0) {
        corrections_.push_back(static_cast<std::uint8_t>(std::abs(value) & 1));
        continue;
      }
      end_run();
      sink_.symbol(TableClass::ac, table_, zeros << 4 | 1, value > 0 ? 1 : 0, 1);
      put(corrections_);
      zeros = 0;
    }
    if (zeros > 0 || next <= scan_.spectral_end || !corrections_.empty()) extend_run(corrections_);
  }

  void put(Bits& bits) {
    for (const std::uint8_t bit : bits) sink_.bits(bit, 1);
    bits.clear();
  }

  // This block's band ends here, but for corrections.
  void extend_run(const Bits& corrections) {
    ++run_;
    waiting_.insert(waiting_.end(), corrections.begin(), corrections.end());
    if (run_ == kLongestRun || waiting_.size() > kMostWaitingBits) end_run();
  }

  void end_run() {
    if (run_ == 0) return;
    const auto size = static_cast<unsigned>(std::bit_width(run_)) - 1;
    sink_.symbol(TableClass::ac, table_, size << 4, run_ & ((1u << size) - 1), size);
    put(waiting_);
    run_ = 0;
  }

  const ScanHeader& scan_;
  Sink& sink_;
  std::size_t table_;
  std::array<std::int32_t, 4> predictors_{};
  std::uint32_t run_ = 0;
  Bits waiting_;      // corrections of the run's blocks
  Bits corrections_;  // of this block
};

}  // namespace

template <class Sink>
void encode_progressive(const Picture& picture, const ScanHeader& scan, std::size_t restart_interval, Sink& sink) {
  ProgressiveEncoder<Sink> encoder(scan, sink);
  walk_scan(
      picture, scan, restart_interval, [&](const ScanBlock& block) { encoder.block(block); },
      [&](std::size_t index) { encoder.restart(index); });
  encoder.finish();
}

template void encode_progressive(const Picture&, const ScanHeader&, std::size_t, SymbolCounter&);
template void encode_progressive(const Picture&, const ScanHeader&, std::size_t, SymbolWriter&);

}  // namespace freqlearn
