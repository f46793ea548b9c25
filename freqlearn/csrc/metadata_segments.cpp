#include "metadata_segments.hpp"

namespace freqlearn {

std::vector<Segment> metadata_segments(Bytes data) {
  std::vector<Segment> segments;
  Warnings warnings;
  for (std::size_t offset = 2;;) {
    const Segment segment = next_segment(data, offset, warnings);
    if (segment.code == kEndOfData || segment.code == marker::EOI || segment.code == marker::SOS) return segments;
    const bool is_application = segment.code >= marker::APP0 && segment.code <= marker::APP15;
    if (is_application || segment.code == marker::COM) segments.push_back(segment);
    offset = segment.next;
  }
}

}  // namespace freqlearn
