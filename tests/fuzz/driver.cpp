// Mutates valid JPEG files and does with them what random scripts say; nothing but the promised errors may come out.
//
//   fuzz [--seconds N | --inputs N] [--seed S] [--jobs J] [--only I] [--failures FOLDER] FILES...
//   fuzz --replay INPUTS...            what --failures or libFuzzer kept
//   fuzz --corpus FOLDER FILES...      writes inputs to start libFuzzer with
//
// Input I of a seed is the same whatever else is run: --only I repeats it.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "fuzz_one.hpp"
#include "mutate.hpp"
#include "script.hpp"

// Where the program is built with a sanitizer.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

using Clock = std::chrono::steady_clock;
using fuzz::Counts;
using fuzz::File;

constexpr unsigned kSecondsPerInput = 10;

struct Options {
  std::uint64_t seconds = 0, inputs = 0, seed = 0, jobs = 0;
  std::optional<std::uint64_t> only;
  bool replay = false;
  std::string corpus, failures = ".";
  std::vector<std::string> files;
};

// What is tested now: for the handlers below, which take no argument.
struct Current {
  std::uint64_t seed = 0, index = 0;
  const File* input = nullptr;
  std::string folder;
};
Current g_current;  // NOLINT: signal handlers know nothing else

// The process is dying anyway: what is not safe in a handler may fail here, and then there is only the message.
void keep_input() {
  if (g_current.input == nullptr) return;
  const std::string path = g_current.folder + "/failure-" + std::to_string(g_current.seed) + "-" +
                           std::to_string(g_current.index);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(g_current.input->data()),
             static_cast<std::streamsize>(g_current.input->size()));
  std::fprintf(stderr, "died at input %llu of seed %llu; repeat it with --only %llu, or with --replay %s\n",
               static_cast<unsigned long long>(g_current.index), static_cast<unsigned long long>(g_current.seed),
               static_cast<unsigned long long>(g_current.index), path.c_str());
  g_current.input = nullptr;
}

void on_signal(int signal) {
  if (signal == SIGALRM) std::fprintf(stderr, "an input took more than %u s\n", kSecondsPerInput);
  keep_input();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void watch_for_death() {
  std::signal(SIGALRM, on_signal);
  std::signal(SIGABRT, on_signal);
  if (&__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(keep_input);
}

void run(const File& input, Counts& counts) {
  g_current.input = &input;
  alarm(kSecondsPerInput);
  fuzz::fuzz_one(input.data(), input.size(), counts);
  alarm(0);
  g_current.input = nullptr;
}

// Input `index` of a seed. Some files stay whole: most damaged ones end before the plan begins.
File make_input(const std::vector<fuzz::Seed>& seeds, std::uint64_t seed, std::uint64_t index) {
  fuzz::Random random(seed << 40 ^ index);
  File input(fuzz::kScriptBytes);
  for (std::uint8_t& byte : input) byte = static_cast<std::uint8_t>(random.next());
  const bool whole = random.chance(25);
  const File file = whole ? seeds[random.below(seeds.size())].bytes : fuzz::mutate(seeds, random).bytes;
  input.insert(input.end(), file.begin(), file.end());
  return input;
}

// Every jobs-th input from `first`, until time or number is reached.
void fuzz_job(const std::vector<fuzz::Seed>& seeds, const Options& options, std::uint64_t first, Counts& counts) {
  const auto end = Clock::now() + std::chrono::seconds(options.seconds);
  for (std::uint64_t i = first; options.seconds != 0 ? Clock::now() < end : i < options.inputs; i += options.jobs) {
    g_current.index = i;
    run(make_input(seeds, options.seed, i), counts);
  }
}

void add(Counts& sum, const Counts& more) {
  sum.inputs += more.inputs;
  sum.decoded += more.decoded;
  sum.lenient_incomplete += more.lenient_incomplete;
  sum.executed += more.executed;
  sum.executed_of_refused += more.executed_of_refused;
  for (std::size_t i = 0; i < sum.refused.size(); ++i) sum.refused[i] += more.refused[i];
}

// One process a job: a crash takes only its own with it. Returns whether all ended well.
bool fuzz_jobs(const std::vector<fuzz::Seed>& seeds, const Options& options, Counts& sum) {
  const std::size_t bytes = options.jobs * sizeof(Counts);
  void* shared = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw std::bad_alloc();
  const std::span<Counts> counts(static_cast<Counts*>(shared), options.jobs);
  for (std::uint64_t job = 0; job < options.jobs; ++job) {
    new (&counts[job]) Counts;
    const pid_t child = fork();
    if (child < 0) throw std::bad_alloc();
    if (child > 0) continue;
    fuzz_job(seeds, options, job, counts[job]);
    std::exit(0);
  }
  bool good = true;
  for (int status = 0; wait(&status) > 0;) good &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
  for (const Counts& each : counts) add(sum, each);
  munmap(shared, bytes);
  return good;
}

void print(const Options& options, const Counts& counts, double seconds) {
  const auto line = [](const char* what, std::uint64_t count) {
    std::printf("  %-28s %llu\n", what, static_cast<unsigned long long>(count));
  };
  std::printf("%llu inputs of %zu files, seed %llu, %llu at once, %.0f s\n",
              static_cast<unsigned long long>(counts.inputs), options.files.size(),
              static_cast<unsigned long long>(options.seed), static_cast<unsigned long long>(options.jobs), seconds);
  line("decoded", counts.decoded);
  const std::array<const char*, 5> names = {"malformed", "truncated", "unsupported", "too large", "not JPEG"};
  for (std::size_t i = 0; i < names.size(); ++i) line((std::string("refused: ") + names[i]).c_str(), counts.refused[i]);
  line("strict=False: incomplete", counts.lenient_incomplete);
  line("plans carried out", counts.executed);
  line("  of files that are refused", counts.executed_of_refused);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool more = i + 1 < argc;
    if (argument == "--seconds" && more) {
      options.seconds = std::stoull(argv[++i]);
    } else if (argument == "--inputs" && more) {
      options.inputs = std::stoull(argv[++i]);
    } else if (argument == "--seed" && more) {
      options.seed = std::stoull(argv[++i]);
    } else if (argument == "--jobs" && more) {
      options.jobs = std::stoull(argv[++i]);
    } else if (argument == "--only" && more) {
      options.only = std::stoull(argv[++i]);
    } else if (argument == "--failures" && more) {
      options.failures = argv[++i];
    } else if (argument == "--corpus" && more) {
      options.corpus = argv[++i];
    } else if (argument == "--replay") {
      options.replay = true;
    } else {
      options.files.push_back(argument);
    }
  }
  if (options.seconds == 0 && options.inputs == 0) options.seconds = 20;
  if (options.jobs == 0) options.jobs = std::clamp(std::thread::hardware_concurrency(), 1U, 64U);
  return options;
}

File read(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_corpus(const std::vector<fuzz::Seed>& seeds, const std::string& folder) {
  std::filesystem::create_directories(folder);
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    fuzz::Random random(i);
    File input(fuzz::kScriptBytes);
    for (std::uint8_t& byte : input) byte = static_cast<std::uint8_t>(random.next());
    input.insert(input.end(), seeds[i].bytes.begin(), seeds[i].bytes.end());
    std::ofstream(folder + "/seed-" + std::to_string(i), std::ios::binary)
        .write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (options.files.empty()) {
    std::fprintf(stderr, "usage: fuzz [--seconds N | --inputs N] [--seed S] [--jobs J] [--only I] FILES...\n");
    return 2;
  }
  g_current.seed = options.seed;
  g_current.folder = options.failures;
  std::filesystem::create_directories(options.failures);
  Counts counts;
  if (options.replay) {
    for (const std::string& name : options.files) {
      std::printf("%s\n", name.c_str());
      std::fflush(stdout);
      const File input = read(name);
      alarm(kSecondsPerInput);
      fuzz::fuzz_one(input.data(), input.size(), counts);
    }
    return 0;
  }

  std::vector<fuzz::Seed> seeds;
  for (const std::string& name : options.files) seeds.push_back(fuzz::make_seed(name, read(name)));
  if (!options.corpus.empty()) {
    write_corpus(seeds, options.corpus);
    return 0;
  }
  watch_for_death();
  if (options.only) {
    g_current.index = *options.only;
    run(make_input(seeds, options.seed, *options.only), counts);
    return 0;
  }
  const auto begin = Clock::now();
  const bool good = fuzz_jobs(seeds, options, counts);
  print(options, counts, std::chrono::duration<double>(Clock::now() - begin).count());
  return good ? 0 : 1;
}
