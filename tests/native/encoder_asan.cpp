// The encoder under ASan and UBSan: random pixels in every layout, good and bad input. Bad input and nothing else makes
// it throw, std::invalid_argument; every instruction set gives the same; wanted coefficients are those of the whole
// and the others zero; all can be written.
//
//   encoder_asan [--inputs N] [--seconds S] [--seed S] [--only I]
//
// Input I of a seed is always the same: --only I repeats it.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cpu.hpp"
#include "encoder.hpp"
#include "picture.hpp"
#include "random_inputs.hpp"
#include "writer.hpp"

namespace {

using freqlearn::Plane;
using random_inputs::broken;
using random_inputs::Random;

constexpr std::uint64_t kEveryPlace = ~std::uint64_t{0};

struct Input {
  std::unique_ptr<std::uint8_t[]> memory;  // ends where ASan watches
  freqlearn::PixelView pixels;
  std::vector<freqlearn::EncodedComponent> components;
  bool is_good = true;  // as far as a picture can be told from here
};

// Axes in any order and direction, some of them with gaps.
void lay_out(Random& random, Input& input) {
  freqlearn::PixelView& pixels = input.pixels;
  struct Axis {
    std::size_t length;
    std::ptrdiff_t* step;
  };
  std::vector<Axis> axes = {{pixels.channels, &pixels.channel_step},
                            {pixels.width, &pixels.pixel_step},
                            {pixels.height, &pixels.line_step}};
  if (random.chance(40)) std::swap(axes[random.below(3)], axes[random.below(3)]);
  std::size_t bytes = 1, offset = 0;
  for (const Axis& axis : axes) {
    if (random.chance(15)) bytes *= 1 + random.below(3);
    *axis.step = static_cast<std::ptrdiff_t>(bytes);
    if (random.chance(15)) {
      *axis.step = -*axis.step;
      offset += bytes * (axis.length - 1);
    }
    bytes *= axis.length;
  }
  input.memory = std::make_unique<std::uint8_t[]>(bytes);
  const bool loud = random.chance(30);
  for (std::size_t i = 0; i < bytes; ++i) {
    input.memory[i] = static_cast<std::uint8_t>(loud ? (random.chance(50) ? 255 : 0) : random.next());
  }
  pixels.data = input.memory.get() + offset;
}

void make_components(Random& random, Input& input) {
  static constexpr int kFactors[][2] = {{1, 1}, {1, 2}, {1, 4}, {1, 3}, {2, 4}};
  const auto& h = kFactors[random.below(5)];
  const auto& v = kFactors[random.below(5)];
  input.components.resize(input.pixels.channels);
  const std::size_t finest = random.below(input.components.size());
  for (std::size_t i = 0; i < input.components.size(); ++i) {
    freqlearn::EncodedComponent& component = input.components[i];
    component.h = i == finest ? h[1] : h[random.below(2)];
    component.v = i == finest ? v[1] : v[random.below(2)];
    const std::size_t largest = random.chance(80) ? 255 : 65535;
    for (std::uint16_t& step : component.quant_table) step = static_cast<std::uint16_t>(1 + random.below(largest));
    component.wanted = random.chance(30) ? kEveryPlace : random.next() & random.next();
    if (random.chance(10)) component.wanted = 0;
    if (random.chance(40)) component.wanted &= kEveryPlace >> random.below(64);  // low v alone
  }
}

void spoil(Random& random, Input& input) {
  input.is_good = false;
  freqlearn::EncodedComponent& component = input.components[random.below(input.components.size())];
  switch (random.below(6)) {
    case 0: component.quant_table[random.below(64)] = 0; break;
    case 1: component.h = static_cast<int>(random.below(2)) * 6 - 1; break;
    case 2: component.v = 5 + static_cast<int>(random.below(1000)); break;
    case 3: input.pixels.width = random.chance(50) ? 0 : 65536 + random.below(std::size_t{1} << 60); break;
    case 4: input.pixels.height = random.chance(50) ? 0 : 65536 + random.below(std::size_t{1} << 60); break;
    default: input.components.push_back(component); break;
  }
}

bool is_part(const Plane& plane, const Plane& whole, std::uint64_t wanted) {
  for (std::size_t block = 0; block < plane.rows() * plane.cols(); ++block) {
    for (std::size_t place = 0; place < 64; ++place) {
      const bool is_wanted = (wanted >> place & 1) != 0;
      if (plane.block(block)[place] != (is_wanted ? whole.block(block)[place] : 0)) return false;
    }
  }
  return true;
}

void write(const Input& input, const std::vector<Plane>& planes) {
  std::vector<freqlearn::SourcePlane> sources;
  for (std::size_t i = 0; i < planes.size(); ++i) {
    const freqlearn::EncodedComponent& component = input.components[i];
    sources.push_back({.blocks = planes[i].block(0),
                       .rows = planes[i].rows(),
                       .cols = planes[i].cols(),
                       .h = component.h,
                       .v = component.v,
                       .quant_table = component.quant_table});
  }
  const freqlearn::WriteOptions options;
  const char* colors = planes.size() == 1 ? "gray" : "YCbCr";
  write_file(freqlearn::checked_picture(sources, input.pixels.width, input.pixels.height, colors, options), options);
}

void check(const Input& input) {
  std::vector<freqlearn::EncodedComponent> every = input.components;
  for (freqlearn::EncodedComponent& component : every) component.wanted = kEveryPlace;
  const std::vector<Plane> whole = encode_pixels(input.pixels, every, freqlearn::InstructionSet::baseline);
  for (const freqlearn::InstructionSet set : freqlearn::instruction_sets()) {
    const std::vector<Plane> planes = encode_pixels(input.pixels, input.components, set);
    write(input, planes);
    for (std::size_t i = 0; i < planes.size(); ++i) {
      if (!is_part(planes[i], whole[i], input.components[i].wanted)) {
        broken(std::string("other coefficients with ") + freqlearn::name(set));
      }
    }
  }
}

// Whether the input was encoded.
bool run(Random& random) {
  Input input;
  input.pixels.height = 1 + random.below(70);
  input.pixels.width = 1 + random.below(random.chance(10) ? 700 : 90);
  input.pixels.channels = random.chance(25) ? 1 : 3;
  lay_out(random, input);
  make_components(random, input);
  if (random.chance(10)) spoil(random, input);
  try {
    check(input);
  } catch (const std::invalid_argument& error) {
    if (input.is_good) broken(std::string("good input is refused: ") + error.what());
    return false;
  }
  if (!input.is_good) broken("bad input is taken");
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  random_inputs::run_inputs(argc, argv, "encoder", "encoded alike by all instruction sets and written", "refused", run);
  return 0;
}
