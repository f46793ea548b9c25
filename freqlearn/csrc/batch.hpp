// Jobs that are waited for together.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "pool.hpp"

namespace freqlearn {

// Jobs on a pool's threads, and on the thread that waits for them, which helps. One thread uses a batch; many batches
// may share a pool.
class Batch {
 public:
  // The pool must outlive the batch. It may have no threads: help() does all jobs then, and Python's planning, all of it
  // before the first job, finds its own code and data still in the cache (8 % of a batch's time).
  explicit Batch(Pool& pool);
  // No job runs or waits any more when it returns.
  ~Batch();
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // What `work` refers to must stay until the job is done.
  void add(std::function<void()> work);
  // Works on the batch's jobs, then waits for those that other threads have begun; true when all are done, false when
  // `patience` is over before. A job once begun is not interrupted.
  bool help(std::chrono::milliseconds patience);
  // Drops the jobs that nobody has begun, and waits for the others.
  void cancel();
  // What each job threw, in the order of add(); null where it threw nothing or was dropped. Only when all are done.
  [[nodiscard]] const std::vector<std::exception_ptr>& errors() const;

 private:
  struct State;

  void check_process() const;

  std::unique_ptr<State> state_;
};

}  // namespace freqlearn
