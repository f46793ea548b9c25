// Mutates valid JPEG files and decodes them: nothing but a JpegError may come out. Built with ASan and UBSan by run.sh.
//
//   fuzz [--mutations N] [--seed S] [--only I OUTPUT] FILES...
//
// --only writes mutant I of the same seed and files to OUTPUT instead, to look at what made a run fail.
#include <sanitizer/common_interface_defs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "decoder.hpp"
#include "error.hpp"
#include "mutate.hpp"

namespace {

using freqlearn::Decoded;
using freqlearn::ErrorKind;
using freqlearn::JpegError;

constexpr std::uint64_t kMaxPixels = 178'956'970;
constexpr unsigned kSecondsPerMutant = 10;

struct Options {
  std::size_t mutations = 20'000;
  std::uint64_t seed = 0;
  std::optional<std::size_t> only;
  std::string output;
  std::vector<std::string> files;
};

// Read by the death callback, which takes no argument.
std::size_t g_mutation = 0;
void report_death() { std::fprintf(stderr, "died at mutation %zu (repeat it with --only)\n", g_mutation); }

[[noreturn]] void broken(const char* promise) {
  std::fprintf(stderr, "mutation %zu: %s\n", g_mutation, promise);
  std::exit(1);
}

struct Counts {
  std::size_t inside = 0, accepted = 0, lenient_accepted = 0, lenient_incomplete = 0;
  std::array<std::size_t, 5> refused{};
};

bool same_planes(const Decoded& a, const Decoded& b) {
  return std::ranges::equal(a.planes, b.planes, [](const auto& p, const auto& q) {
    return p.rows() == q.rows() && p.cols() == q.cols() &&
           std::memcmp(p.block(0), q.block(0), p.rows() * p.cols() * 64 * sizeof(freqlearn::Coefficient)) == 0;
  });
}

template <class Read>
auto attempt(Read&& read, std::optional<ErrorKind>& kind) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const JpegError& error) {
    kind = error.kind();
    return std::nullopt;
  }
}

// Reads one mutant in every way and checks what the ways promise of each other.
void test(freqlearn::Bytes bytes, Counts& counts) {
  std::optional<ErrorKind> kind, ignored;
  const auto strict = attempt([&] { return freqlearn::decode(bytes, true, kMaxPixels); }, kind);
  const auto lenient = attempt([&] { return freqlearn::decode(bytes, false, kMaxPixels); }, ignored);
  const auto checked = attempt([&] { return freqlearn::check(bytes, kMaxPixels); }, ignored);
  const auto info = attempt([&] { return freqlearn::read_info(bytes, kMaxPixels); }, ignored);
  if (strict) {
    ++counts.accepted;
    if (!strict->complete) broken("strict decoding accepted it and calls it incomplete");
    if (!lenient || !lenient->complete || !same_planes(*strict, *lenient)) broken("strict=False changes a good file");
    if (!checked) broken("check() refuses what decode() reads");
  } else {
    ++counts.refused[static_cast<std::size_t>(*kind)];
    if (lenient && lenient->complete) broken("strict=False calls a refused file complete");
  }
  if ((lenient || checked) && !info) broken("read_info() refuses what decode() or check() reads");
  if (lenient) {
    ++counts.lenient_accepted;
    counts.lenient_incomplete += !lenient->complete;
    if (lenient->planes.size() != lenient->info.frame.components.size()) broken("a plane is missing");
  }
}

void print(const Options& options, const Counts& counts) {
  std::printf("mutations                     %zu of %zu files, seed %llu\n", options.mutations, options.files.size(),
              static_cast<unsigned long long>(options.seed));
  std::printf("  inside entropy-coded data   %zu\n", counts.inside);
  std::printf("  accepted                    %zu\n", counts.accepted);
  const std::array<const char*, 5> names = {"malformed", "truncated", "unsupported", "too large", "not JPEG"};
  for (std::size_t i = 0; i < names.size(); ++i) std::printf("  refused: %-18s %zu\n", names[i], counts.refused[i]);
  std::printf("  strict=False: read          %zu, of which incomplete %zu\n", counts.lenient_accepted,
              counts.lenient_incomplete);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--mutations" && i + 1 < argc) {
      options.mutations = std::stoull(argv[++i]);
    } else if (argument == "--seed" && i + 1 < argc) {
      options.seed = std::stoull(argv[++i]);
    } else if (argument == "--only" && i + 2 < argc) {
      options.only = std::stoull(argv[++i]);
      options.output = argv[++i];
    } else {
      options.files.push_back(argument);
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::vector<fuzz::Seed> seeds;
  for (const std::string& name : options.files) {
    std::ifstream file(name, std::ios::binary);
    fuzz::File bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.size() < 4) {
      std::fprintf(stderr, "%s: not a JPEG file\n", name.c_str());
      return 2;
    }
    seeds.push_back(fuzz::make_seed(name, std::move(bytes)));
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "usage: fuzz [--mutations N] [--seed S] [--only I OUTPUT] FILES...\n");
    return 2;
  }
  __sanitizer_set_death_callback(report_death);

  Counts counts;
  for (std::size_t i = 0; i < options.mutations; ++i) {
    g_mutation = i;
    fuzz::Random random(options.seed << 40 ^ i);
    const fuzz::Mutant mutant = fuzz::mutate(seeds, random);
    if (options.only) {
      if (i < *options.only) continue;
      std::ofstream(options.output, std::ios::binary)
          .write(reinterpret_cast<const char*>(mutant.bytes.data()), static_cast<std::streamsize>(mutant.bytes.size()));
      return 0;
    }
    counts.inside += mutant.inside_entropy_coded;
    alarm(kSecondsPerMutant);  // kills a decoder that hangs
    test(mutant.bytes, counts);
  }
  print(options, counts);
  return 0;
}
