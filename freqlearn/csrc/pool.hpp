// Threads that wait for jobs, and the queue that they share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace freqlearn {

// Rises by one in the child at each fork: threads of another generation do not exist, and their locks are as they
// happened to be at the fork. Always 0 where there is no fork.
std::uint64_t fork_generation() noexcept;

// Safe to use from many threads, and in the child after a fork: there it starts threads of its own, and leaves alone what
// the parent's threads had. Jobs of the parent stay the parent's.
class Pool {
 public:
  struct Job {
    const void* owner;          // of no meaning but to tell jobs apart
    std::function<void()> run;  // must not throw
  };

  // The first job starts the threads.
  explicit Pool(std::size_t threads) : threads_(threads) {}
  // Lets running jobs end and drops the others.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  [[nodiscard]] std::size_t threads() const { return threads_; }

  // Queues a job; with no threads, for run_one(). Throws std::system_error where a thread cannot be started.
  void submit(Job job);
  // Takes the longest waiting job of `owner` and runs it in this thread; false if none waits.
  bool run_one(const void* owner);
  // Drops the waiting jobs of `owner`; how many those were.
  std::size_t drop(const void* owner);

 private:
  class Workers;  // the threads and the queue of one process

  [[nodiscard]] Workers* workers() const;  // null where there are none yet in this process

  std::size_t threads_;
  std::atomic<Workers*> workers_{nullptr};
};

}  // namespace freqlearn
