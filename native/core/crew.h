#pragma once
#include <bitset>
#include <chrono>

#include "core/parallel_task.h"
#include "core/pool_worker.h"

namespace qgemm {

/// The helpers of one parallel_for, as its caller sees them: asks them to join, wakes those for whom that pays, and in
/// the end waits for those that came.
class Crew {
 public:
  /// Of workers [0, count) but for `self`, which is the caller or null. `work` as in ThreadPool::Hints.
  Crew(const std::atomic<PoolWorker*>* workers, size_t count, const PoolWorker* self, size_t work)
      : workers_(workers), count_(count), self_(self), size_(WakingPays::size_of(work)) {}

  void ask(const ParallelTask* task) {
    bool any_asleep = false;
    for (size_t i = 0; i < count_; ++i) {
      PoolWorker* worker = at(i);
      if (worker == self_) continue;
      const bool sleeps = worker->sleeps();
      if ((sleeps && worker->waking_pays.spared(size_)) || !worker->offer(task)) continue;
      asked_.set(i);
      any_asleep |= sleeps;
    }
    // Those that are awake have begun; waking takes microseconds.
    if (any_asleep) begun_ = Clock::now();
    const int cpu = current_cpu();
    for (size_t i = 0; i < count_; ++i) {
      if (!asked_.test(i)) continue;
      at(i)->leave_cpu(cpu);
      woken_.set(i, at(i)->wake());
    }
    if (woken_.any()) woke_ = Clock::now();
    if (!any_asleep) begun_ = woke_;  // some may have gone to sleep since
  }

  /// After the caller has done `own` of all `count` tasks, and none is left to begin.
  void join(const ParallelTask* task, size_t own, size_t count) {
    const bool any_woken = woken_.any();
    const auto own_time = any_woken ? Clock::now() - woke_ : Clock::duration();
    for (size_t i = 0; i < count_; ++i) {
      if (!asked_.test(i)) continue;
      const bool came = at(i)->join(task);
      if (!woken_.test(i)) {
        if (came) at(i)->waking_pays.learn(size_, true);
      } else if (!came) {
        woken_.reset(i);
        at(i)->waking_pays.learn(size_, false);
      }
    }
    if (!any_woken) return;
    // Alone, the caller would have done all of them as fast as its own.
    using Seconds = std::chrono::duration<double>;
    const double took = Seconds(Clock::now() - begun_).count(), alone = Seconds(own_time).count() * count;
    for (size_t i = 0; i < count_; ++i) {
      if (woken_.test(i)) at(i)->waking_pays.learn(size_, took * own < alone);
    }
  }

 private:
  PoolWorker* at(size_t i) const { return workers_[i].load(std::memory_order_relaxed); }

  const std::atomic<PoolWorker*>* workers_;
  size_t count_;
  const PoolWorker* self_;
  size_t size_;
  std::bitset<kMaxThreads> asked_, woken_;
  Clock::time_point begun_, woke_;  // before and after some were woken, if any
};

}  // namespace qgemm
