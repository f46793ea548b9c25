#include "plan.hpp"

#include <cmath>
#include <stdexcept>

#include "error.hpp"

namespace freqlearn {
namespace {

// Far beyond any picture (JPEG's have at most 65,535 px a side), far from overflow in sums and products with sampling
// factors, and near enough that a contrast step, which looks at all of a stage, takes no second.
constexpr std::int64_t kFarthest = std::int64_t{1} << 24;

constexpr bool is_near(std::int64_t value) { return -kFarthest <= value && value <= kFarthest; }

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  throw std::invalid_argument(join(parts..., "; within that size, plans that freqlearn's transforms make are valid"));
}

// One axis of a stage: its box, its size after the resize, its window and what that shows.
void check_axis(const char* axis, std::int64_t size, std::int64_t box, std::int64_t box_size, std::int64_t scaled,
                std::int64_t window, std::int64_t window_size, std::int64_t visible, std::int64_t visible_size) {
  if (!is_near(box) || !is_near(box_size) || box < 0 || box_size < 1 || box + box_size > size) {
    refuse("expected a crop box inside the picture's ", size, " ", axis, ", got ", box_size, " from ", box);
  }
  if (scaled < 1 || scaled > kFarthest) refuse("expected a resize to 1 to ", kFarthest, " ", axis, ", got ", scaled);
  if (!is_near(window) || window_size < 1 || window_size > kFarthest) {
    refuse("expected a window of 1 to ", kFarthest, " ", axis, ", got ", window_size, " from ", window);
  }
  if (visible_size == 0 && is_near(visible)) return;
  if (!is_near(visible) || visible_size < 0 || visible_size > kFarthest || visible < 0 ||
      visible + visible_size > scaled || visible < window || visible + visible_size > window + window_size) {
    refuse("expected a visible part within the window (", window_size, " from ", window, ") and the resized crop (",
           scaled, " ", axis, "), got ", visible_size, " from ", visible);
  }
}

void check_geometry(const Geometry& g, const Plan& plan) {
  check_axis("rows", plan.height, g.box.top, g.box.height, g.scaled_height, g.window.top, g.window.height,
             g.visible.top, g.visible.height);
  check_axis("columns", plan.width, g.box.left, g.box.width, g.scaled_width, g.window.left, g.window.width,
             g.visible.left, g.visible.width);
}

}  // namespace

bool Geometry::padded() const {
  return visible.top > window.top || visible.bottom() < window.bottom() || visible.left > window.left ||
         visible.right() < window.right();
}

void check(const Plan& plan) {
  if (plan.height < 1 || plan.width < 1 || plan.height > kFarthest || plan.width > kFarthest) {
    refuse("expected a plan for a picture of 1 to ", kFarthest, " px a side, got ", plan.width, "x", plan.height);
  }
  check_geometry(plan.geometry, plan);
  for (const ColorStep& step : plan.colors) {
    if (step.kind == ColorStep::Kind::contrast) check_geometry(step.geometry, plan);
    bool finite = std::isfinite(step.factor);
    for (const double value : step.rgb) finite = finite && std::isfinite(value);
    if (!finite) refuse("expected finite colour factors and fill values, got NaN or infinity");
  }
}

}  // namespace freqlearn
