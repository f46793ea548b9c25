// decode_rows() hands over what decode() finds, and no more.
#include <algorithm>
#include <array>
#include <vector>

#include "block_rows.hpp"
#include "check_decoders.hpp"

namespace fuzz {
namespace {

using freqlearn::BlockOrder;
using freqlearn::BlockRange;
using freqlearn::BlockRow;
using freqlearn::Coefficient;
using freqlearn::Info;

// Thrown by take(): a sink may stop the decoder.
struct Enough {};

// Compares every row as it comes with the reference's, if there is one.
class ComparingSink final : public freqlearn::BlockRowSink {
 public:
  ComparingSink(const Reference& reference, Script script) : reference_(reference), script_(script) {
    if (script_.chance(10)) rows_until_enough_ = static_cast<int>(script_.below(20));
  }

  std::vector<BlockRange> wanted(const Info& info) override {
    if (!ranges_.empty()) broken("decode_rows() asks twice what is wanted");
    ranges_ = make_ranges(script_, info.frame);
    for (const BlockRange& range : ranges_) next_row_.push_back(range.row_begin);
    for (std::size_t i = 0; i < ranges_.size(); ++i) {
      const freqlearn::Component& component = info.frame.components[i];
      // Whatever their coefficients: those that nobody wants are passed over, and their faults found.
      all_wanted_ &= ranges_[i].row_begin == 0 && ranges_[i].col_begin == 0 && ranges_[i].row_end == component.rows &&
                     ranges_[i].col_end == component.cols;
    }
    return ranges_;
  }

  void take(const BlockRow& row) override {
    if (row.component >= ranges_.size()) broken("a row of a component that is not there");
    const BlockRange& range = ranges_[row.component];
    if (range.empty()) broken("a row of a component that nobody wants");
    if (row.row != next_row_[row.component]++ || row.row >= range.row_end) broken("a row twice, too late or unwanted");
    if (reference_.decoded) compare(row, range);
    if (rows_until_enough_-- == 0) throw Enough{};
  }

  [[nodiscard]] bool took_all() const {
    for (std::size_t i = 0; i < ranges_.size(); ++i) {
      if (!ranges_[i].empty() && next_row_[i] != ranges_[i].row_end) return false;
    }
    return true;
  }
  [[nodiscard]] bool all_wanted() const { return all_wanted_; }

 private:
  void compare(const BlockRow& row, const BlockRange& range) const {
    const freqlearn::Decoded& decoded = *reference_.decoded;
    if (*row.quant_table != decoded.info.quant_tables[row.component]) broken("a row with another quantisation table");
    for (std::size_t col = range.col_begin; col < range.col_end; ++col) {
      const Coefficient* expected = decoded.planes[row.component].block(row.row, col);
      const Coefficient* got = row.blocks + 64 * (col - range.col_begin);
      for (std::size_t i = 0; i < 64; ++i) {
        const Coefficient value = got[row.order == BlockOrder::natural ? i : 8 * (i % 8) + i / 8];
        const bool wanted = (range.coefficients >> i & 1) != 0;
        if (value == expected[i] || (!wanted && value == 0)) continue;
        broken("decode_rows() and decode() differ",
               freqlearn::join("component ", row.component, ", row ", row.row, ", column ", col, ", coefficient ", i,
                               wanted ? "" : " (unwanted)", ": expected ", expected[i], ", got ", value));
      }
    }
  }

  const Reference& reference_;
  Script script_;
  std::vector<BlockRange> ranges_;
  std::vector<std::size_t> next_row_;
  bool all_wanted_ = true;
  int rows_until_enough_ = -1;
};

}  // namespace

void check_rows(freqlearn::Bytes file, const Reference& reference, Script script) {
  const freqlearn::InstructionSet set = make_instruction_set(script);
  ComparingSink sink(reference, script);
  std::optional<Error> error;
  try {
    error = error_of([&] { freqlearn::decode_rows(file, kMaxPixels, sink, set); });
  } catch (const Enough&) {
    return;
  }
  if (reference.decoded && error) broken("decode_rows() refuses what decode() reads", describe(error));
  if (!error && !sink.took_all()) broken("decode_rows() leaves out wanted rows");
  if (!reference.error) return;
  if (sink.all_wanted() && error != reference.error) {
    broken("decode_rows() of everything and decode() fail differently",
           describe(reference.error) + "\n  " + describe(error));
  }
  if (!error && reference.cut) broken("decode_rows() reads a file that was cut short", describe(reference.error));
}

}  // namespace fuzz
