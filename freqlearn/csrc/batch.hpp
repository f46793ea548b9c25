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
  // Without threads in the pool, jobs run in the thread that adds them. The pool must outlive the batch.
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
