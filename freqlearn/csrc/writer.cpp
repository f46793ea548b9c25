#include "writer.hpp"

#include <algorithm>
#include <utility>

#include "marker_writer.hpp"
#include "progressive_encoder.hpp"
#include "scan_script.hpp"
#include "sequential_encoder.hpp"
#include "standard_tables.hpp"
#include "symbol_sinks.hpp"

namespace freqlearn {
namespace {

class FileWriter {
 public:
  FileWriter(const Picture& picture, const WriteOptions& options)
      : picture_(picture), options_(options), markers_(bytes_) {}

  std::vector<std::uint8_t> write() {
    markers_.marker(marker::SOI);
    bytes_.insert(bytes_.end(), options_.segments.begin(), options_.segments.end());
    for (std::size_t i = 0; i < picture_.quant_tables.size(); ++i) {
      markers_.quant_table(picture_.quant_tables[i], i);
    }
    markers_.frame(picture_.frame);
    if (options_.restart_interval > 0) markers_.restart_interval(options_.restart_interval);
    for (const ScanHeader& scan : scan_script(picture_)) write_scan(scan);
    markers_.marker(marker::EOI);
    return std::move(bytes_);
  }

 private:
  template <class Sink>
  void encode(const ScanHeader& scan, Sink& sink) {
    const auto encoder = picture_.frame.progressive() ? encode_progressive<Sink> : encode_sequential<Sink>;
    encoder(picture_, scan, options_.restart_interval, sink);
  }

  void write_scan(const ScanHeader& scan) {
    if (options_.optimise) {
      PerTable<SymbolCounts> counts{};
      SymbolCounter counter(counts);
      encode(scan, counter);
      write_tables([&](TableClass kind, std::size_t i) { return optimal_table(counts[index(kind)][i]); },
                   [&](TableClass kind, std::size_t i) { return is_used(counts[index(kind)][i]); });
    } else if (!has_tables_) {
      write_tables(
          [](TableClass kind, std::size_t i) {
            return kind == TableClass::dc ? standard_dc_table(i) : standard_ac_table(i);
          },
          [&](TableClass, std::size_t i) { return is_selected(static_cast<int>(i)); });
      has_tables_ = true;
    }
    markers_.scan(scan, picture_.frame);
    SymbolWriter writer(codes_, BitWriter(bytes_));
    encode(scan, writer);
  }

  template <class Spec, class IsUsed>
  void write_tables(Spec&& spec_of, IsUsed&& is_used) {
    for (std::size_t i = 0; i < kWriterTables; ++i) {
      for (const TableClass kind : {TableClass::dc, TableClass::ac}) {
        if (!is_used(kind, i)) continue;
        const HuffmanSpec spec = spec_of(kind, i);
        markers_.huffman_table(spec, kind, i);
        codes_[index(kind)][i] = HuffmanCodes(spec);
      }
    }
  }

  static std::size_t index(TableClass kind) { return static_cast<std::size_t>(kind); }
  static bool is_used(const SymbolCounts& counts) {
    return std::ranges::any_of(counts, [](std::uint64_t count) { return count > 0; });
  }
  [[nodiscard]] bool is_selected(int table) const {
    return std::ranges::find(picture_.huffman_tables, table) != picture_.huffman_tables.end();
  }

  const Picture& picture_;
  const WriteOptions& options_;
  std::vector<std::uint8_t> bytes_;
  MarkerWriter markers_;
  PerTable<HuffmanCodes> codes_{};
  bool has_tables_ = false;  // those of annex K.3 are for all scans
};

}  // namespace

std::vector<std::uint8_t> write_file(const Picture& picture, const WriteOptions& options) {
  return FileWriter(picture, options).write();
}

}  // namespace freqlearn
