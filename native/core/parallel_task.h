#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/thread_count.h"

namespace qgemm {

/// The indices of one parallel_for, shared out among participants. Lives on the caller's stack.
///
/// Participant p owns a contiguous range and takes from its front; one whose own range is used up takes from the back
/// of the others'. So an index runs on the same participant in call after call (its data stays in that core's cache) as
/// long as nobody is late, and nobody waits for one who is.
class alignas(64) ParallelTask {
 public:
  struct Work {
    void (*run)(void* context, size_t index, size_t participant);
    void* context;
    const void* read_first;  // with the context, by each participant
    size_t read_first_bytes;
  };

  /// `count` < 2^32; `participants` in [1, kMaxThreads]; worker i of the pool comes as participant `first_worker` + i.
  ParallelTask(size_t count, size_t participants, size_t first_worker, const Work& work,
               const std::atomic<bool>* cancel)
      : participants_(participants), first_worker_(first_worker), work_(work), cancel_(cancel) {
    for (size_t p = 0; p < participants; ++p) {
      uint64_t begin = count * p / participants;
      uint64_t end = count * (p + 1) / participants;
      range_of(p).bounds.store(begin << 32 | end, std::memory_order_relaxed);
    }
  }

  size_t participant_of_worker(size_t index) const { return first_worker_ + index; }

  // A line that another core has written takes 40 to 200 ns to come, and each of those that a helper needs tells where
  // the next is: it asks for all that it can know of at once.

  /// By worker `index`, before it knows whether the task is still there: reads nothing.
  void ask_for_task(size_t index) const {
    ask_for(this, false);
    ask_for(&ranges_[index + 1], true);
  }

  void ask_for_work() const {
    ask_for(work_.context, false);
    const char* data = static_cast<const char*>(work_.read_first);
    for (size_t byte = 0; byte < work_.read_first_bytes; byte += 64) ask_for(data + byte, false);
  }

  /// Works until no index is left to take, or the task is cancelled. Any thread may come as any participant, one at a
  /// time. Returns how many indices it had.
  size_t participate(size_t participant) {
    size_t done = 0;
    for (size_t step = 0; step < participants_; ++step) {
      Range& range = range_of((participant + step) % participants_);
      size_t index;
      while (step == 0 ? take_first(&range, &index) : take_last(&range, &index)) {
        if (cancel_ != nullptr && cancel_->load(std::memory_order_relaxed)) {
          stopped_.store(true, std::memory_order_relaxed);
          return done;
        }
        work_.run(work_.context, index, participant);
        ++done;
      }
    }
    return done;
  }

  /// Whether some index was left out because of `cancel`. Valid when all participants have returned.
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Range {
    std::atomic<uint64_t> bounds;  // begin in the high half, end in the low half
  };

  static void ask_for(const void* line, bool to_write) {
#if defined(__GNUC__)
    if (to_write) {
      __builtin_prefetch(line, 1);
    } else {
      __builtin_prefetch(line);
    }
#else
    static_cast<void>(line), static_cast<void>(to_write);
#endif
  }

  // Worker i has the same one, whoever calls.
  Range& range_of(size_t participant) { return ranges_[participant + 1 - first_worker_]; }

  static bool take_first(Range* range, size_t* index) {
    uint64_t bounds = range->bounds.load(std::memory_order_relaxed);
    while ((bounds >> 32) < (bounds & UINT32_MAX)) {
      if (range->bounds.compare_exchange_weak(bounds, bounds + (uint64_t{1} << 32), std::memory_order_relaxed)) {
        *index = bounds >> 32;
        return true;
      }
    }
    return false;
  }

  static bool take_last(Range* range, size_t* index) {
    uint64_t bounds = range->bounds.load(std::memory_order_relaxed);
    while ((bounds >> 32) < (bounds & UINT32_MAX)) {
      if (range->bounds.compare_exchange_weak(bounds, bounds - 1, std::memory_order_relaxed)) {
        *index = (bounds & UINT32_MAX) - 1;
        return true;
      }
    }
    return false;
  }

  size_t participants_;
  size_t first_worker_;
  Work work_;
  const std::atomic<bool>* cancel_;
  std::atomic<bool> stopped_{false};
  Range ranges_[kMaxThreads + 1];
};

}  // namespace qgemm
