#include "decoder.hpp"

#include <algorithm>
#include <utility>

#include "entropy_data.hpp"
#include "fast_sequential.hpp"
#include "file_reader.hpp"
#include "progressive.hpp"
#include "scan.hpp"
#include "decoding_memory.hpp"
#include "sequential.hpp"

namespace freqlearn {
namespace {

// A segment takes 32 bytes in memory and may take 2 in a file, which must not decide how many are kept.
constexpr std::size_t kSpareSegments = 64;

class HeaderReader : public FileReader {
 public:
  using FileReader::FileReader;

 private:
  std::optional<std::size_t> read_scan(const ScanHeader&, std::size_t) override { return std::nullopt; }
};

class StructureReader : public FileReader {
 public:
  using FileReader::FileReader;

 private:
  std::optional<std::size_t> read_scan(const ScanHeader& header, std::size_t data_offset) override {
    std::vector<Plane> none(frame().components.size());
    const Scan scan(header, frame(), none, huffman_slots());
    check_claim(data_offset);
    return end_of_entropy_data(data(), data_offset);
  }
};

// Whole rows of blocks into the planes.
class PlaneStore : public BlockStore {
 public:
  explicit PlaneStore(const Scan& scan) : scan_(scan) {}

  BlockSpan row(std::size_t index, std::size_t row) override {
    const Plane& plane = *scan_.components[index].plane;
    return {0, plane.cols(), plane.block(row, 0)};
  }
  [[nodiscard]] unsigned last_wanted(std::size_t) const override { return 63; }
  [[nodiscard]] const std::uint8_t* places() const override { return natural_places(); }
  [[nodiscard]] bool wants_all() const override { return true; }
  Progress finish_row(std::size_t) override { return Progress::more; }

 private:
  const Scan& scan_;
};

using ReadableDecoder = void (*)(Scan& scan, std::size_t first, std::size_t count, BitReader& bits);

ReadableDecoder readable_decoder(const Frame& frame, const ScanHeader& scan) {
  if (!frame.progressive()) return decode_sequential;
  if (scan.is_dc()) return scan.is_refinement() ? decode_dc_refinement : decode_dc_first;
  return scan.is_refinement() ? decode_ac_refinement : decode_ac_first;
}

class PlaneReader : public FileReader {
 public:
  PlaneReader(Bytes data, bool strict, std::uint64_t max_pixels, const Method& method)
      : FileReader(data, strict, max_pixels), method_(method) {}

  Decoded read();

 private:
  std::optional<std::size_t> read_scan(const ScanHeader& header, std::size_t data_offset) override;
  IntervalDecoder interval_decoder(Scan& scan, FastSequential* fast);

  Method method_;
  DecodingMemoryLease memory_;
  std::vector<Plane> planes_;
};

Decoded PlaneReader::read() {
  Decoded result;
  result.info = run();
  result.complete = complete();
  const std::vector<Component>& components = result.info.frame.components;
  planes_.resize(components.size());
  for (std::size_t i = 0; i < components.size(); ++i) {
    if (!planes_[i].allocated()) planes_[i] = Plane(components[i].rows, components[i].cols, Contents::zeros);
    planes_[i].drop_masks();
  }
  result.planes = std::move(planes_);
  return result;
}

std::optional<std::size_t> PlaneReader::read_scan(const ScanHeader& header, std::size_t data_offset) {
  planes_.resize(frame().components.size());
  Scan scan(header, frame(), planes_, huffman_slots());
  check_claim(data_offset);
  const bool is_fast = !frame().progressive() && !method_.reference;
  // What is read strictly is either written in full or thrown away. Else blocks that never come must be zero, and
  // should take no memory, as a short file can claim very many.
  const Contents contents = is_fast && strict() ? Contents::unspecified : Contents::zeros;
  for (const ScanComponent& component : scan.components) {
    Plane& plane = *component.plane;
    if (!plane.allocated()) plane = Plane(component.component->rows, component.component->cols, contents);
    if (!header.is_dc()) plane.allocate_masks();
  }
  // Segments beyond the scan's intervals are of use only where damage repeated some.
  EntropyData& entropy_data = memory_->entropy_data;
  entropy_data.read(data(), data_offset, 2 * scan.intervals(restart_interval()) + kSpareSegments);
  std::optional<PlaneStore> store;
  std::optional<FastSequential> fast;
  if (is_fast) {
    store.emplace(scan);
    fast.emplace(scan, *store, memory_->tables, method_.set);
  } else {
    scan.build_tables();
  }
  const IntervalDecoder decode_interval = interval_decoder(scan, fast ? &*fast : nullptr);
  if (!decode_scan(scan, decode_interval, entropy_data, restart_interval(), strict(), warnings())) mark_incomplete();
  return entropy_data.end_offset();
}

IntervalDecoder PlaneReader::interval_decoder(Scan& scan, FastSequential* fast) {
  const ReadableDecoder readable = readable_decoder(frame(), scan.header);
  return [&scan, fast, readable, is_strict = strict()](std::size_t first, std::size_t count, BitReader& bits) {
    if (fast != nullptr) {
      if (fast->decode(first, count, bits) != FastSequential::Outcome::fault) return Progress::more;
      bits.rewind();
      for_each_block(scan, first, is_strict ? count : fast->reached() - first,
                     [](ScanComponent&, Block block) { std::fill_n(block, 64, Coefficient{0}); });
      scan.build_tables();
    }
    readable(scan, first, count, bits);
    return Progress::more;
  };
}

}  // namespace

Info read_info(Bytes data, std::uint64_t max_pixels) { return HeaderReader(data, true, max_pixels).run(); }

Info check(Bytes data, std::uint64_t max_pixels) { return StructureReader(data, true, max_pixels).run(); }

Decoded decode(Bytes data, bool strict, std::uint64_t max_pixels, const Method& method) {
  return PlaneReader(data, strict, max_pixels, method).read();
}

}  // namespace freqlearn
