#include "pool.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#ifndef _WIN32
#include <pthread.h>
#endif

namespace freqlearn {
namespace {

std::atomic<std::uint64_t> generation{0};

#ifndef _WIN32
// When the library is loaded, not at first use: a fork during that first use would leave its guard locked in the child.
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, [] { ++generation; });
#endif

}  // namespace

std::uint64_t fork_generation() noexcept { return generation.load(); }

class Pool::Workers {
 public:
  explicit Workers(std::size_t threads) : generation_(fork_generation()) {
    try {
      for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
    } catch (...) {
      stop();
      throw;
    }
  }
  ~Workers() { stop(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  [[nodiscard]] bool alive() const { return generation_ == fork_generation(); }

  void push(Job job) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(job));
    }
    changed_.notify_one();
  }

  std::optional<Job> take(const void* owner) {
    const std::lock_guard lock(mutex_);
    const auto job = std::ranges::find(queue_, owner, &Job::owner);
    if (job == queue_.end()) return std::nullopt;
    std::optional<Job> taken(std::move(*job));
    queue_.erase(job);
    return taken;
  }

  std::size_t drop(const void* owner) {
    const std::lock_guard lock(mutex_);
    return std::erase_if(queue_, [owner](const Job& job) { return job.owner == owner; });
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      {
        const Job job = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        job.run();
      }  // what the job holds is freed without the lock
      lock.lock();
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  const std::uint64_t generation_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> queue_;  // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  std::vector<std::thread> threads_;
};

// After a fork they are left as they are: there is nothing to join, and even a destructor could wait for ever.
Pool::~Pool() { delete workers(); }

Pool::Workers* Pool::workers() const {
  Workers* const workers = workers_.load();
  return workers != nullptr && workers->alive() ? workers : nullptr;
}

void Pool::submit(Job job) {
  if (Workers* const workers = this->workers()) return workers->push(std::move(job));
  // Without a lock, which a fork could leave locked: whoever comes second takes the first one's.
  Workers* current = workers_.load();
  auto fresh = std::make_unique<Workers>(threads_);
  Workers& started = workers_.compare_exchange_strong(current, fresh.get()) ? *fresh.release() : *current;
  started.push(std::move(job));
}

bool Pool::run_one(const void* owner) {
  Workers* const workers = this->workers();
  const std::optional<Job> job = workers == nullptr ? std::nullopt : workers->take(owner);
  if (job) job->run();
  return job.has_value();
}

std::size_t Pool::drop(const void* owner) {
  Workers* const workers = this->workers();
  return workers == nullptr ? 0 : workers->drop(owner);
}

}  // namespace freqlearn
