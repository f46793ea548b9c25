// Batches of execute() on pools of threads, several at once, checked against one thread; to be built with
// -fsanitize=thread (and as well under ASan):
//
//   batch_tsan FILE.jpg ...
//
// Files that cannot be read are welcome: they have to give the same error wherever they are decoded.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "batch.hpp"
#include "decoder.hpp"
#include "execute.hpp"

namespace {

using freqlearn::Batch;
using freqlearn::Pool;

constexpr std::uint64_t kMaxPixels = 1 << 24;
constexpr std::int64_t kSize = 40;
constexpr std::size_t kBlocks = kSize / 8, kChannels = 192, kFloats = kChannels * kBlocks * kBlocks;

// A file and what is to be done to it.
struct Job {
  std::vector<std::uint8_t> jpeg;
  freqlearn::Plan plan;
};

// The tensor of a job, or what went wrong.
struct Result {
  std::vector<float> tensor = std::vector<float>(kFloats);
  std::string error;
};

freqlearn::Target all_channels() {
  freqlearn::Target target{.channels = std::vector<int>(kChannels),
                           .mean = std::vector<double>(kChannels, 1.0),
                           .std = std::vector<double>(kChannels, 3.0)};
  std::iota(target.channels.begin(), target.channels.end(), 0);
  return target;
}

const freqlearn::Target& target() {
  static const freqlearn::Target channels = all_channels();
  return channels;
}

// The whole picture to a square, with all the colour steps that need a pass of their own.
Job job_of(const std::string& path, bool flipped) {
  std::ifstream file(path, std::ios::binary);
  Job job{.jpeg = {std::istreambuf_iterator<char>(file), {}}, .plan = {}};
  std::int64_t height = 8, width = 8;
  try {
    const freqlearn::Info info = freqlearn::read_info(job.jpeg, kMaxPixels);
    height = static_cast<std::int64_t>(info.frame.height);
    width = static_cast<std::int64_t>(info.frame.width);
  } catch (const freqlearn::JpegError&) {
    // execute() says so again.
  }
  const freqlearn::Box shown{0, 0, kSize, kSize};
  job.plan = {.height = height,
              .width = width,
              .geometry = {.box = {0, 0, height, width},
                           .scaled_height = kSize,
                           .scaled_width = kSize,
                           .window = shown,
                           .visible = shown},
              .transposed = false,
              .flip_horizontal = flipped,
              .flip_vertical = false,
              .colors = {}};
  job.plan.colors.push_back({.kind = freqlearn::ColorStep::Kind::contrast,
                             .factor = 1.25,
                             .rgb = {},
                             .geometry = job.plan.geometry});
  job.plan.colors.push_back(
      {.kind = freqlearn::ColorStep::Kind::hue, .factor = 0.125, .rgb = {}, .geometry = {}});
  return job;
}

void run(const Job& job, Result& result) {
  freqlearn::execute(job.jpeg, job.plan, target(),
                     {.data = result.tensor.data(),
                      .type = freqlearn::DataType::float32,
                      .channels = kChannels,
                      .rows = kBlocks,
                      .cols = kBlocks,
                      .channel_stride = kBlocks * kBlocks,
                      .row_stride = kBlocks,
                      .col_stride = 1},
                     kMaxPixels);
}

std::string message(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    return exception.what();
  }
  return {};
}

void expect(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

void expect_equal(const Result& got, const Result& want) {
  expect(got.error == want.error, "another error than in one thread");
  expect(!want.error.empty() || std::memcmp(got.tensor.data(), want.tensor.data(), kFloats * sizeof(float)) == 0,
         "another tensor than in one thread");
}

std::vector<Result> results_of(Pool& pool, const std::vector<Job>& jobs) {
  std::vector<Result> results(jobs.size());
  Batch batch(pool);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    batch.add([&job = jobs[i], &result = results[i]] { run(job, result); });
  }
  while (!batch.help(std::chrono::milliseconds(1))) {
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) results[i].error = message(batch.errors()[i]);
  return results;
}

// Begins a batch and gives it up, by hand or by leaving it.
void give_up(Pool& pool, const std::vector<Job>& jobs, bool by_hand) {
  std::vector<Result> results(jobs.size());
  Batch batch(pool);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    batch.add([&job = jobs[i], &result = results[i]] { run(job, result); });
  }
  if (by_hand) batch.cancel();
}

void check(const std::vector<std::string>& paths) {
  std::vector<Job> jobs;
  for (const std::string& path : paths) {
    for (const bool flipped : {false, true}) jobs.push_back(job_of(path, flipped));
  }
  Pool none(0);
  const std::vector<Result> want = results_of(none, jobs);
  std::size_t read = 0;
  for (const Result& result : want) read += result.error.empty() ? 1 : 0;
  expect(read > 0, "expected at least one file that can be read");

  Pool pool(3);
  std::atomic<int> failures{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&, caller] {
      try {
        for (int round = 0; round < 4; ++round) {
          const std::vector<Result> got = results_of(pool, jobs);
          for (std::size_t i = 0; i < jobs.size(); ++i) expect_equal(got[i], want[i]);
          give_up(pool, jobs, caller == 0);
        }
      } catch (const std::exception& error) {
        std::fprintf(stderr, "caller %d: %s\n", caller, error.what());
        ++failures;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  expect(failures == 0, "batches on several threads differ from one thread");
  std::printf("%zu pictures, %zu of them read, 12 times on 6 threads: as in one thread\n", want.size(), read);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "expected JPEG files, as in: %s tests/assets/*.jpg\n", argv[0]);
    return 2;
  }
  try {
    check({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
