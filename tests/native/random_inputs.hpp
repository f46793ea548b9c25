// For programs that make up inputs and check what comes of them: random numbers, the loop over inputs, and how it ends.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <limits>
#include <optional>
#include <random>
#include <string>

// Where the program is built with a sanitizer.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace random_inputs {

class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t index) {
    std::seed_seq words{seed, seed >> 32, index, index >> 32};
    engine_.seed(words);
  }
  std::uint64_t next() { return engine_(); }
  // 0 to `limit` - 1.
  std::size_t below(std::size_t limit) { return engine_() % limit; }
  bool chance(std::size_t percent) { return below(100) < percent; }
  template <class T>
  T pick(std::initializer_list<T> choices) {
    return *(choices.begin() + below(choices.size()));
  }

 private:
  std::mt19937_64 engine_;
};

// What is tested now, for what sanitizers call when the process dies, which takes no argument.
inline std::uint64_t g_seed = 0, g_index = 0;  // NOLINT

inline void say_input() {
  std::fprintf(stderr, "broken by input %llu; repeat it with --seed %llu --only %llu\n",
               static_cast<unsigned long long>(g_index), static_cast<unsigned long long>(g_seed),
               static_cast<unsigned long long>(g_index));
}

// A promise was not kept.
[[noreturn]] inline void broken(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  say_input();
  std::abort();
}

// Runs inputs as the command line says, by default 5000 of seed 0:
//   [--inputs N] [--seconds S] [--seed S] [--only I]
// until the number or the time is reached; prints how many there were of which `run` returned true, and false.
template <class Run>
void run_inputs(int argc, char** argv, const char* name, const char* taken, const char* refused, Run&& run) {
  using Clock = std::chrono::steady_clock;
  std::uint64_t inputs = 5000, seconds = std::numeric_limits<std::uint32_t>::max();
  std::optional<std::uint64_t> only;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    const std::uint64_t value = std::stoull(argv[i + 1]);
    if (option == "--inputs") inputs = value;
    if (option == "--seconds") seconds = value;
    if (option == "--seed") g_seed = value;
    if (option == "--only") only = value;
  }
  if (&__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(say_input);
  const auto begin = Clock::now(), end = begin + std::chrono::seconds(seconds);
  std::uint64_t counts[2] = {0, 0};
  const std::uint64_t last = only ? *only + 1 : inputs;
  for (g_index = only.value_or(0); g_index < last && Clock::now() < end; ++g_index) {
    Random random(g_seed, g_index);
    try {
      ++counts[run(random) ? 1 : 0];
    } catch (const std::exception& error) {
      broken(std::string("an error that nobody promised: ") + error.what());
    }
  }
  std::printf("%s: %llu inputs, seed %llu, %.0f s: %llu %s, %llu %s\n", name,
              static_cast<unsigned long long>(counts[0] + counts[1]), static_cast<unsigned long long>(g_seed),
              std::chrono::duration<double>(Clock::now() - begin).count(), static_cast<unsigned long long>(counts[1]),
              taken, static_cast<unsigned long long>(counts[0]), refused);
}

}  // namespace random_inputs
