#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "core/cpu_affinity.h"
#include "core/spin.h"
#include "core/waking_pays.h"

namespace qgemm {

/// What others see of one pool thread: a mailbox of one word. Never freed, so that anybody may look at it at any time.
///
///   idle -> offered(task) -> running(task) -> idle     a task of parallel_for; the offer may be taken back
///   idle -> summoned -> idle                           to take a job from the queue
/// A task is named by its address; it is not freed before its offers are taken back or its runs are over.
///
/// What is written at each call, seldom, and by callers only lies on cache lines of its own each: a line comes from
/// another core in 40 ns at best and in some hundreds from afar, and a call waits for several one after the other.
struct alignas(64) PoolWorker {
  enum : uintptr_t { kIdle = 0, kSummoned = 1, kOffered = 2, kRunning = 4, kAwaited = 8, kTaskMask = ~uintptr_t{63} };
  /// kWoken: told to get up by somebody, and not there yet.
  enum Rest { kAwake, kAsleep, kWoken };

  std::atomic<uintptr_t> mailbox{kIdle};

  alignas(64) std::atomic<Rest> rest{kAwake};
  size_t index = 0;
  std::atomic<int> cpu{-1};  // where it last ran; -1 unknown, or just told to leave
  std::atomic<long> thread_id{0};
  std::atomic<int> kept_off{-1};  // the CPU that it may not use

  // Callers' own; they may disagree by one.
  alignas(64) WakingPays waking_pays;
  std::atomic<bool> was_busy{false};  // when it was last offered something

  alignas(64) std::mutex mutex;
  std::condition_variable woken;
  std::condition_variable finished;

  bool offer(const void* task) {
    // A look before the exclusive access leaves a busy worker its line; but it is one more way to another core.
    if (was_busy.load(std::memory_order_relaxed) && mailbox.load(std::memory_order_relaxed) != kIdle) return false;
    uintptr_t expected = kIdle;
    const bool done = mailbox.compare_exchange_strong(expected, reinterpret_cast<uintptr_t>(task) | kOffered);
    set(&was_busy, !done);
    return done;
  }

  bool summon() {
    uintptr_t expected = kIdle;
    return mailbox.compare_exchange_strong(expected, kSummoned);
  }

  /// Called by who offers a task, from its own CPU, before the worker is woken: two threads on one CPU are slower than
  /// one. A thread that sleeps may be woken on its waker's CPU wherever it was before, and is then moved away some
  /// milliseconds later, or after a thousand calls.
  void leave_cpu(int callers_cpu) {
    if (callers_cpu < 0) return;
    const bool asleep = sleeps();
    const std::atomic<int>& where = asleep ? kept_off : cpu;
    if ((where.load(std::memory_order_relaxed) == callers_cpu) == asleep) return;
    cpu.store(-1, std::memory_order_relaxed);
    keep_off_cpu(thread_id.load(std::memory_order_relaxed), callers_cpu);
    kept_off.store(callers_cpu, std::memory_order_relaxed);
  }

  /// The worker's own side, before work that has no caller beside it.
  void run_anywhere() {
    if (kept_off.exchange(-1, std::memory_order_relaxed) != -1) allow_all_cpus();
  }

  /// After something was put into the mailbox. Whether it was asleep and nobody else wakes it.
  bool wake() {
    Rest expected = kAsleep;
    if (rest.load() != kAsleep || !rest.compare_exchange_strong(expected, kWoken)) return false;
    std::lock_guard<std::mutex> lock(mutex);
    woken.notify_one();
    return true;
  }

  /// The worker's own side of `wake`: sleeps until somebody does, unless `ready()`. May return without either.
  template <typename Ready>
  void sleep_unless(const Ready& ready) {
    std::unique_lock<std::mutex> lock(mutex);
    rest.store(kAsleep);
    if (!ready()) woken.wait(lock);
    rest.store(kAwake);
  }

  /// Takes the offer of `task` back, or waits until its run is over: then true. Afterwards this worker does not touch
  /// it any more.
  bool join(const void* task) {
    uintptr_t offered = reinterpret_cast<uintptr_t>(task) | kOffered;
    if (mailbox.load(std::memory_order_relaxed) == offered && mailbox.compare_exchange_strong(offered, kIdle)) {
      return false;
    }
    uintptr_t running = reinterpret_cast<uintptr_t>(task) | kRunning;
    if (spin_until([&] { return mailbox.load(std::memory_order_acquire) != running; })) return true;
    std::unique_lock<std::mutex> lock(mutex);
    uintptr_t expected = running;
    if (!mailbox.compare_exchange_strong(expected, running | kAwaited)) return true;
    finished.wait(lock, [&] { return mailbox.load(std::memory_order_acquire) != (running | kAwaited); });
    return true;
  }

  bool sleeps() const { return rest.load(std::memory_order_relaxed) == kAsleep; }

  /// The worker's own side of an offer: true when it may run the task; `finish` must follow.
  bool accept(uintptr_t mail) { return mailbox.compare_exchange_strong(mail, (mail & kTaskMask) | kRunning); }

  void finish() {
    if ((mailbox.exchange(kIdle) & kAwaited) == 0) return;
    std::lock_guard<std::mutex> lock(mutex);
    finished.notify_all();
  }

  /// Leaves the line where it is when nothing changes.
  template <typename T>
  static void set(std::atomic<T>* where, T value) {
    if (where->load(std::memory_order_relaxed) != value) where->store(value, std::memory_order_relaxed);
  }
};

}  // namespace qgemm
