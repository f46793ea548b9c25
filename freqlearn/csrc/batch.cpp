#include "batch.hpp"

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace freqlearn {

struct Batch::State {
  explicit State(Pool& p) : pool(p) {}

  Pool& pool;
  const std::uint64_t generation = fork_generation();
  std::mutex mutex;
  std::condition_variable finished;
  std::size_t unfinished = 0;              // guarded by mutex
  std::vector<std::exception_ptr> errors;  // guarded by mutex

  void run(const std::function<void()>& work, std::size_t index) noexcept {
    std::exception_ptr error;
    try {
      work();
    } catch (...) {
      error = std::current_exception();
    }
    finish(1, index, std::move(error));
  }

  void finish(std::size_t jobs, std::size_t index = 0, std::exception_ptr error = nullptr) {
    // Notifies before unlocking: once unlocked, whoever waits may destroy this.
    const std::lock_guard lock(mutex);
    if (error) errors[index] = std::move(error);
    unfinished -= jobs;
    if (unfinished == 0) finished.notify_all();
  }
};

Batch::Batch(Pool& pool) : state_(std::make_unique<State>(pool)) {}

Batch::~Batch() {
  if (state_->generation == fork_generation()) {
    cancel();
  } else {
    // Nobody will finish the parent's jobs here, and destroying what they waited for could wait for ever.
    static_cast<void>(state_.release());
  }
}

void Batch::add(std::function<void()> work) {
  check_process();
  State* const state = state_.get();
  std::size_t index = 0;
  {
    const std::lock_guard lock(state->mutex);
    index = state->errors.size();
    state->errors.emplace_back();
    ++state->unfinished;
  }
  try {
    state->pool.submit({this, [state, index, work = std::move(work)] { state->run(work, index); }});
  } catch (...) {
    state->finish(1);
    throw;
  }
}

bool Batch::help(std::chrono::milliseconds patience) {
  check_process();
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (state_->pool.run_one(this)) {
    if (std::chrono::steady_clock::now() >= deadline) break;
  }
  std::unique_lock lock(state_->mutex);
  return state_->finished.wait_until(lock, deadline, [this] { return state_->unfinished == 0; });
}

void Batch::cancel() {
  check_process();
  const std::size_t dropped = state_->pool.drop(this);
  std::unique_lock lock(state_->mutex);
  state_->unfinished -= dropped;
  state_->finished.wait(lock, [this] { return state_->unfinished == 0; });
}

const std::vector<std::exception_ptr>& Batch::errors() const { return state_->errors; }

void Batch::check_process() const {
  if (state_->generation != fork_generation()) {
    throw std::logic_error("expected a batch to be finished by the process that began it, got a child of that process");
  }
}

}  // namespace freqlearn
