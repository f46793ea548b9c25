#include "exif.hpp"

#include <algorithm>
#include <array>

namespace freqlearn {
namespace {

// A TIFF structure in either byte order; reads outside of it give nothing.
class Tiff {
 public:
  Tiff(Bytes bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

  [[nodiscard]] std::optional<std::uint32_t> number(std::uint64_t offset, std::size_t width) const {
    if (offset > bytes_.size() || bytes_.size() - offset < width) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t at = big_endian_ ? i : width - 1 - i;
      value = value << 8 | bytes_[static_cast<std::size_t>(offset) + at];
    }
    return value;
  }

 private:
  Bytes bytes_;
  bool big_endian_;
};

std::optional<int> orientation_of_entry(const Tiff& tiff, std::uint64_t entry) {
  constexpr std::uint32_t kByte = 1, kShort = 3, kLong = 4;
  const auto type = tiff.number(entry + 2, 2);
  if (!type || (*type != kByte && *type != kShort && *type != kLong)) return std::nullopt;
  const auto value = tiff.number(entry + 8, *type == kByte ? 1 : *type == kShort ? 2 : 4);
  if (!value || *value < 1 || *value > 8) return std::nullopt;
  return static_cast<int>(*value);
}

}  // namespace

std::optional<int> parse_exif_orientation(Bytes payload) {
  constexpr std::array<std::uint8_t, 6> kExif = {'E', 'x', 'i', 'f', 0, 0};
  constexpr std::uint32_t kOrientation = 0x0112, kTiffVersion = 42;
  constexpr std::uint64_t kEntrySize = 12;
  if (payload.size() < 14 || !std::ranges::equal(payload.first(6), kExif)) return std::nullopt;
  const Bytes body = payload.subspan(6);
  const bool big_endian = body[0] == 'M' && body[1] == 'M';
  if (!big_endian && !(body[0] == 'I' && body[1] == 'I')) return std::nullopt;
  const Tiff tiff(body, big_endian);
  if (tiff.number(2, 2) != kTiffVersion) return std::nullopt;

  const auto directory = tiff.number(4, 4);
  const auto entries = directory ? tiff.number(*directory, 2) : std::nullopt;
  if (!entries) return std::nullopt;
  for (std::uint64_t i = 0; i < *entries; ++i) {
    const std::uint64_t entry = std::uint64_t{*directory} + 2 + kEntrySize * i;
    const auto tag = tiff.number(entry, 2);
    if (!tag) return std::nullopt;  // the directory goes past the end
    if (*tag == kOrientation) return orientation_of_entry(tiff, entry);
  }
  return std::nullopt;
}

}  // namespace freqlearn
