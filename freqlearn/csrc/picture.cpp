#include "picture.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "error.hpp"

namespace freqlearn {
namespace {

constexpr std::size_t kMost = 65535;  // what 16 bits hold: sizes, quantisation steps, restart intervals

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  throw std::invalid_argument(join(parts...));
}

// As libjpeg numbers components; readers without a JFIF or Adobe segment know RGB by its letters.
std::array<int, 4> component_ids(const std::string& color_space) {
  if (color_space == "RGB") return {'R', 'G', 'B', 0};
  if (color_space == "CMYK") return {'C', 'M', 'Y', 'K'};
  return {1, 2, 3, 4};
}

// Chroma has its own, as in libjpeg.
std::vector<int> huffman_tables(const std::string& color_space, std::size_t count) {
  std::vector<int> tables(count, 0);
  if (color_space == "YCbCr" || color_space == "YCCK") tables[1] = tables[2] = 1;
  return tables;
}

void check_color_space(const std::string& color_space, std::size_t count) {
  const std::size_t expected = color_space == "gray"                            ? 1
                               : color_space == "unknown"                       ? 2
                               : color_space == "YCbCr" || color_space == "RGB" ? 3
                               : color_space == "CMYK" || color_space == "YCCK" ? 4
                                                                                : 0;
  if (expected == 0 || count != expected) {
    refuse("expected planes that a JPEG file can name: 1 gray, 2 unknown, 3 YCbCr or RGB, 4 CMYK or YCCK, got ", count,
           " of color_space ", color_space);
  }
}

Component checked_component(const SourcePlane& plane, std::size_t index) {
  if (plane.h < 1 || plane.h > 4 || plane.v < 1 || plane.v > 4) {
    refuse("expected sampling factors of 1 to 4, got ", plane.h, "x", plane.v, " for plane ", index);
  }
  if (const auto zero = std::ranges::find(plane.quant_table, 0); zero != plane.quant_table.end()) {
    const auto place = zero - plane.quant_table.begin();
    refuse("expected quantisation steps of 1 to 65535, got 0 at (v, u) = (", place / 8, ", ", place % 8,
           ") of the table of plane ", index);
  }
  Component component;
  component.h = plane.h;
  component.v = plane.v;
  return component;
}

void check_shape(const SourcePlane& plane, const Component& component, std::size_t index) {
  if (plane.rows != component.rows || plane.cols != component.cols) {
    refuse("expected ", component.rows, " x ", component.cols, " blocks in plane ", index,
           ", which its size and sampling give, got ", plane.rows, " x ", plane.cols);
  }
}

int table_index(std::vector<QuantTable>& tables, const QuantTable& table) {
  const auto known = std::ranges::find(tables, table);
  const auto index = static_cast<int>(known - tables.begin());
  if (known == tables.end()) tables.push_back(table);
  return index;
}

Process process_of(const std::vector<QuantTable>& tables, const WriteOptions& options) {
  if (options.progressive) return Process::progressive;
  // Baseline has quantisation steps of 8 bits (T.81 B.2.4.1).
  const bool wide = std::ranges::any_of(tables, [](const QuantTable& t) { return std::ranges::max(t) > 255; });
  return wide ? Process::extended : Process::baseline;
}

}  // namespace

Picture checked_picture(std::span<const SourcePlane> planes, std::size_t width, std::size_t height,
                        const std::string& color_space, const WriteOptions& options) {
  check_color_space(color_space, planes.size());
  if (width < 1 || width > kMost || height < 1 || height > kMost) {
    refuse("expected a picture of 1 to ", kMost, " px a side, as JPEG can say, got ", width, " x ", height);
  }
  if (options.restart_interval > kMost) {
    refuse("expected a restart interval of 0 to ", kMost, " MCUs, got ", options.restart_interval);
  }
  if (options.progressive && !options.optimise) {
    refuse("a progressive file has no standard Huffman tables: pass optimise=True");
  }
  Picture picture;
  Frame& frame = picture.frame;
  frame.width = width;
  frame.height = height;
  const std::array<int, 4> ids = component_ids(color_space);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    Component component = checked_component(planes[i], i);
    component.id = ids[i];
    component.quant_index = table_index(picture.quant_tables, planes[i].quant_table);
    frame.components.push_back(component);
  }
  set_block_counts(frame);
  for (std::size_t i = 0; i < planes.size(); ++i) check_shape(planes[i], frame.components[i], i);
  frame.process = process_of(picture.quant_tables, options);
  picture.planes.assign(planes.begin(), planes.end());
  picture.huffman_tables = huffman_tables(color_space, planes.size());
  picture.is_ycbcr = color_space == "YCbCr";
  return picture;
}

}  // namespace freqlearn
