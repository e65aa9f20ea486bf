#pragma once
#include <atomic>
#include <cstddef>
#include <mutex>

namespace qgemm {

/// A piece of asynchronous work. `run` is called once, on a pool thread; the job may be freed from inside it.
struct PoolJob {
  void (*run)(PoolJob* job) = nullptr;
  PoolJob* next = nullptr;
};

/// Jobs that no thread has begun, first come, first served.
class JobQueue {
 public:
  void push(PoolJob* job) {
    std::lock_guard<std::mutex> lock(mutex_);
    job->next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = job;
    last_ = job;
    count_.fetch_add(1);
  }

  /// Null when there is none.
  PoolJob* take() {
    std::lock_guard<std::mutex> lock(mutex_);
    PoolJob* job = first_;
    if (job == nullptr) return nullptr;
    first_ = job->next;
    if (first_ == nullptr) last_ = nullptr;
    count_.fetch_sub(1);
    return job;
  }

  /// False when it is not in the queue.
  bool withdraw(PoolJob* job) {
    std::lock_guard<std::mutex> lock(mutex_);
    PoolJob* previous = nullptr;
    for (PoolJob* at = first_; at != nullptr; previous = at, at = at->next) {
      if (at != job) continue;
      (previous == nullptr ? first_ : previous->next) = job->next;
      if (last_ == job) last_ = previous;
      count_.fetch_sub(1);
      return true;
    }
    return false;
  }

  /// Without taking the lock: in order with other sequentially consistent operations of the caller.
  bool empty() const { return count_.load() == 0; }

 private:
  std::mutex mutex_;
  PoolJob* first_ = nullptr;
  PoolJob* last_ = nullptr;
  std::atomic<size_t> count_{0};
};

}  // namespace qgemm
