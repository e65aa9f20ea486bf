#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#if defined(_MSC_VER)
#include <intrin.h>
#endif

#include "core/cpu_affinity.h"

namespace qgemm {

/// How long a thread looks for work, or waits for others, before it sleeps. Longer would steal a busy neighbour's time.
constexpr std::chrono::microseconds kSpinTime{20};

inline void cpu_relax() {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
  _mm_pause();
#elif defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) && !defined(_MSC_VER)
  __asm__ __volatile__("isb");
#endif
}

/// Spins until `ready()` or kSpinTime is over. Whether it became ready.
template <typename Ready>
bool spin_until(Ready ready) {
  if (ready()) return true;
  auto deadline = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < 16; ++i) {
      cpu_relax();
      if (ready()) return true;
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

/// What others see of one pool thread: a mailbox of one word. Never freed, so that anybody may look at it at any time.
///
///   idle -> offered(task) -> running(task) -> idle     a task of parallel_for; the offer may be taken back
///   idle -> summoned -> idle                           to take a job from the queue
/// A task is named by its address; it is not freed before its offers are taken back or its runs are over.
struct alignas(64) PoolWorker {
  enum : uintptr_t { kIdle = 0, kSummoned = 1, kOffered = 2, kRunning = 4, kAwaited = 8, kTaskMask = ~uintptr_t{63} };

  std::atomic<uintptr_t> mailbox{kIdle};
  std::atomic<bool> asleep{false};
  size_t index = 0;
  std::atomic<int> cpu{-1};  // where it last ran; -1 unknown, or just told to leave
  std::atomic<long> thread_id{0};
  std::atomic<bool> kept_off{false};
  std::atomic<uint32_t> late{0};      // offers in a row that were taken back
  std::atomic<uint32_t> to_spare{0};  // calls that do not ask it; callers may disagree by one
  std::mutex mutex;
  std::condition_variable woken;
  std::condition_variable finished;

  bool offer(const void* task) {
    uintptr_t expected = kIdle;
    // A look before the exclusive access: a busy worker's line stays with it.
    if (mailbox.load(std::memory_order_relaxed) != kIdle) return false;
    return mailbox.compare_exchange_strong(expected, reinterpret_cast<uintptr_t>(task) | kOffered);
  }

  bool summon() {
    uintptr_t expected = kIdle;
    return mailbox.compare_exchange_strong(expected, kSummoned);
  }

  /// Called by who offers a task, from its own CPU: two threads on one CPU are slower than one.
  void leave_cpu(int callers_cpu) {
    if (callers_cpu < 0 || cpu.load(std::memory_order_relaxed) != callers_cpu) return;
    cpu.store(-1, std::memory_order_relaxed);
    keep_off_cpu(thread_id.load(std::memory_order_relaxed), callers_cpu);
    kept_off.store(true, std::memory_order_relaxed);
  }

  /// The worker's own side, before work that has no caller beside it.
  void run_anywhere() {
    if (kept_off.exchange(false, std::memory_order_relaxed)) allow_all_cpus();
  }

  void wake() {
    if (!asleep.load()) return;
    std::lock_guard<std::mutex> lock(mutex);
    woken.notify_one();
  }

  /// Takes the offer of `task` back or waits until its run is over. Afterwards this worker does not touch it any more.
  void join(const void* task) {
    uintptr_t offered = reinterpret_cast<uintptr_t>(task) | kOffered;
    if (mailbox.compare_exchange_strong(offered, kIdle)) return came_too_late();
    late.store(0, std::memory_order_relaxed);
    uintptr_t running = reinterpret_cast<uintptr_t>(task) | kRunning;
    if (spin_until([&] { return mailbox.load(std::memory_order_acquire) != running; })) return;
    std::unique_lock<std::mutex> lock(mutex);
    uintptr_t expected = running;
    if (!mailbox.compare_exchange_strong(expected, running | kAwaited)) return;
    finished.wait(lock, [&] { return mailbox.load(std::memory_order_acquire) != (running | kAwaited); });
  }

  /// Whether to leave this worker in peace for once: where it came too late some times in a row, its core is busy or
  /// calls are too short and too rare for it, and waking it costs the caller microseconds.
  bool spared() {
    const uint32_t calls = to_spare.load(std::memory_order_relaxed);
    if (calls == 0) return false;
    to_spare.store(calls - 1, std::memory_order_relaxed);
    return true;
  }

  /// The worker's own side of an offer: true when it may run the task; `finish` must follow.
  bool accept(uintptr_t mail) { return mailbox.compare_exchange_strong(mail, (mail & kTaskMask) | kRunning); }

  void came_too_late() {
    constexpr uint32_t kPatience = 4, kSparedCalls = 16;
    if (late.fetch_add(1, std::memory_order_relaxed) + 1 < kPatience) return;
    late.store(kPatience - 2, std::memory_order_relaxed);  // then two more: the first may only wake it
    to_spare.store(kSparedCalls, std::memory_order_relaxed);
  }

  void finish() {
    if ((mailbox.exchange(kIdle) & kAwaited) == 0) return;
    std::lock_guard<std::mutex> lock(mutex);
    finished.notify_all();
  }
};

}  // namespace qgemm
