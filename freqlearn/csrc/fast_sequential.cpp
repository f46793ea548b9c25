#include "fast_sequential.hpp"

#include <algorithm>

#include "quantisation.hpp"

namespace freqlearn {

namespace baseline {
extern const DecodeMcus kDecodeMcus;
}
#if FREQLEARN_X86_DISPATCH
namespace avx2 {
extern const DecodeMcus kDecodeMcus;
}
namespace avx512 {
extern const DecodeMcus kDecodeMcus;
}
#endif

namespace {

DecodeMcus decode_mcus([[maybe_unused]] InstructionSet set) {
#if FREQLEARN_X86_DISPATCH
  return ByInstructionSet<DecodeMcus>{baseline::kDecodeMcus, avx2::kDecodeMcus, avx512::kDecodeMcus}[set];
#else
  return baseline::kDecodeMcus;
#endif
}

using Places = std::array<std::uint8_t, kPlaces>;

constexpr Places places_of(bool transposed) {
  Places places{};
  for (std::size_t k = 0; k < 64; ++k) {
    const unsigned natural = kNatural[k];
    places[k] = static_cast<std::uint8_t>(transposed ? natural % 8 * 8 + natural / 8 : natural);
  }
  return places;
}

constexpr Places kNaturalPlaces = places_of(false), kTransposedPlaces = places_of(true);

// Whether some MCUs have blocks that belong to no plane.
bool has_padding(const Scan& scan) {
  if (!scan.header.interleaved()) return false;
  return std::ranges::any_of(scan.components, [&scan](const ScanComponent& component) {
    const Component& shape = *component.component;
    return shape.blocks() < scan.mcus * static_cast<std::size_t>(shape.h * shape.v);
  });
}

}  // namespace

const std::uint8_t* natural_places() { return kNaturalPlaces.data(); }
const std::uint8_t* transposed_places() { return kTransposedPlaces.data(); }

FastSequential::FastSequential(const Scan& scan, BlockStore& store, FastTables& tables, InstructionSet set)
    : store_(store), decode_mcus_(decode_mcus(set)), mcu_cols_(scan.mcu_cols) {
  const bool skips = !store.wants_all() || has_padding(scan);
  std::array<bool, 4> has_dc{}, has_ac{};
  for (std::size_t i = 0; i < scan.components.size(); ++i) {
    const ScanComponent& component = scan.components[i];
    const ScanHeader::Selection& selection = scan.header.selections[i];
    const auto dc = static_cast<std::size_t>(selection.dc_table), ac = static_cast<std::size_t>(selection.ac_table);
    if (!has_dc[dc]) build(*component.dc_spec, tables.dc[dc]);
    if (!has_ac[ac]) build(*component.ac_spec, skips, tables.ac[ac]);
    has_dc[dc] = has_ac[ac] = true;
    Part part;
    part.index = i;
    if (scan.header.interleaved()) {
      part.h = static_cast<std::size_t>(component.component->h);
      part.v = static_cast<std::size_t>(component.component->v);
    }
    part.rows = component.component->rows;
    part.dc = &tables.dc[dc];
    part.ac = &tables.ac[ac];
    part.last_wanted = store.last_wanted(i);
    parts_.push_back(part);
  }
  for (Part& part : parts_) {
    BlockSlot slot;
    slot.dc = part.dc;
    slot.ac = part.ac;
    slot.dc_predictor = &part.dc_predictor;
    slot.stride = 64 * part.h;
    slot.stored = part.last_wanted;
    slots_.insert(slots_.end(), part.h * part.v, slot);
  }
}

void FastSequential::place_row(std::size_t mcu_row) {
  auto slot = slots_.begin();
  for (const Part& part : parts_) {
    for (std::size_t y = 0; y < part.v; ++y) {
      const std::size_t row = mcu_row * part.v + y;
      const BlockSpan span = row < part.rows ? store_.row(part.index, row) : BlockSpan{};
      for (std::size_t x = 0; x < part.h; ++x, ++slot) {
        // Of the MCUs m, those whose block m * h + x lies in the span.
        slot->store_begin = span.col_begin > x ? ceil_div(span.col_begin - x, part.h) : 0;
        slot->store_end = std::max(slot->store_begin, span.col_end > x ? ceil_div(span.col_end - x, part.h) : 0);
        slot->out = span.out;
        if (slot->store_begin < slot->store_end) slot->out += 64 * (slot->store_begin * part.h + x - span.col_begin);
      }
    }
  }
}

FastSequential::Outcome FastSequential::decode(std::size_t first, std::size_t count, BitReader& bits) {
  for (Part& part : parts_) part.dc_predictor = 0;
  while (count > 0) {
    const std::size_t mcu_row = first / mcu_cols_, begin = first % mcu_cols_;
    const std::size_t end = std::min(mcu_cols_, begin + count);
    place_row(mcu_row);
    first += end - begin;
    count -= end - begin;
    reached_ = first;
    const BlockSlot* const slots = slots_.data();
    if (!decode_mcus_(bits.state(), bits.end(), slots, slots_.size(), begin, end, store_.places())) {
      return Outcome::fault;
    }
    if (end == mcu_cols_ && store_.finish_row(mcu_row) == Progress::enough) return Outcome::enough;
  }
  return Outcome::done;
}

}  // namespace freqlearn
