#include "scan_script.hpp"

#include <utility>

namespace freqlearn {
namespace {

constexpr int kMostBlocks = 10;  // of an MCU of an interleaved scan (T.81 B.2.3)

class ScriptWriter {
 public:
  explicit ScriptWriter(const Picture& picture) : picture_(picture) {}

  // All components interleaved, or one after another where an MCU would have too many blocks.
  void together(unsigned begin, unsigned end, unsigned high, unsigned low) {
    int blocks = 0;
    for (const Component& component : picture_.frame.components) blocks += component.h * component.v;
    if (blocks > kMostBlocks) return each(begin, end, high, low);
    ScanHeader scan = header(begin, end, high, low);
    for (std::size_t i = 0; i < picture_.planes.size(); ++i) select(scan, i);
    scans_.push_back(scan);
  }

  void each(unsigned begin, unsigned end, unsigned high, unsigned low) {
    for (std::size_t i = 0; i < picture_.planes.size(); ++i) one(i, begin, end, high, low);
  }

  void one(std::size_t component, unsigned begin, unsigned end, unsigned high, unsigned low) {
    ScanHeader scan = header(begin, end, high, low);
    select(scan, component);
    scans_.push_back(scan);
  }

  std::vector<ScanHeader> take() { return std::move(scans_); }

 private:
  static ScanHeader header(unsigned begin, unsigned end, unsigned high, unsigned low) {
    ScanHeader scan;
    scan.spectral_begin = begin;
    scan.spectral_end = end;
    scan.approx_high = high;
    scan.approx_low = low;
    return scan;
  }

  void select(ScanHeader& scan, std::size_t component) const {
    const int table = picture_.huffman_tables[component];
    scan.selections.push_back({.component = component, .dc_table = table, .ac_table = table});
  }

  const Picture& picture_;
  std::vector<ScanHeader> scans_;
};

// jpeg_simple_progression: luma's lowest first, chroma coarsely, then one bit after another.
void progressive_ycbcr(ScriptWriter& script) {
  constexpr std::size_t y = 0, cb = 1, cr = 2;
  script.together(0, 0, 0, 1);
  script.one(y, 1, 5, 0, 2);
  script.one(cr, 1, 63, 0, 1);
  script.one(cb, 1, 63, 0, 1);
  script.one(y, 6, 63, 0, 2);
  script.one(y, 1, 63, 2, 1);
  script.together(0, 0, 1, 0);
  script.one(cr, 1, 63, 1, 0);
  script.one(cb, 1, 63, 1, 0);
  script.one(y, 1, 63, 1, 0);
}

void progressive_others(ScriptWriter& script) {
  script.together(0, 0, 0, 1);
  script.each(1, 5, 0, 2);
  script.each(6, 63, 0, 2);
  script.each(1, 63, 2, 1);
  script.together(0, 0, 1, 0);
  script.each(1, 63, 1, 0);
}

}  // namespace

std::vector<ScanHeader> scan_script(const Picture& picture) {
  ScriptWriter script(picture);
  if (!picture.frame.progressive()) {
    script.together(0, 63, 0, 0);
  } else if (picture.is_ycbcr) {
    progressive_ycbcr(script);
  } else {
    progressive_others(script);
  }
  return script.take();
}

}  // namespace freqlearn
