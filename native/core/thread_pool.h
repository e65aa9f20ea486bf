#pragma once
#include <atomic>
#include <cstddef>

#include "core/job_queue.h"

namespace qgemm {

/// The library's own threads: never libuv's, whose few threads serve everybody's file system and name look-ups.
///
/// The caller of `parallel_for` always works; helpers join while there is something left. Nobody waits for a helper
/// that has not started, and nobody spins longer than 100 µs (patience.h). Works with zero helpers when threads
/// cannot be created. Every participant runs with the floating-point environment of fp_env.h.
class ThreadPool {
 public:
  /// The pool of this process, made at first use and never destroyed (threads may outlive static destructors).
  static ThreadPool& instance();

  /// Threads that one operation may use, callers included: min(affinity, ceil(cgroup quota)), or QGEMM_NUM_THREADS, or
  /// what `set_num_threads` said. 1..1024.
  size_t num_threads() const;
  void set_num_threads(size_t threads);

  /// Runs `task(context, i)` once for each i in [0, count), on the caller and up to num_threads() - 1 helpers, and
  /// returns when all are done. Index i goes to the same participant in every call where that one is awake: participant
  /// p of P owns a contiguous range, and takes from the others when its own is done. Stops early when `cancel` (may be
  /// null) becomes true: then returns false, and some indices never ran.
  bool parallel_for(size_t count, void (*task)(void* context, size_t index), void* context,
                    const std::atomic<bool>* cancel = nullptr);

  /// The same with at most `most` participants, and tasks that learn which of them they are: p < most, and no two tasks
  /// run at one time under one p.
  using ParticipantTask = void (*)(void* context, size_t index, size_t p);
  struct Hints {
    /// What tasks read first, besides 64 bytes at `context`: helpers ask for all of it at once.
    const void* read_first = nullptr;
    size_t read_first_bytes = 0;
    /// Multiply-adds, or whatever else makes calls take about as long as others with as much of it. Whether waking
    /// helpers pays is learned for each size.
    size_t work = 0;
  };
  bool parallel_for(size_t count, size_t most, ParticipantTask task, void* context, const std::atomic<bool>* cancel,
                    const Hints& hints);

  using Job = PoolJob;

  /// Queues a job. False when no thread can be had: the caller then runs it itself. A job that calls parallel_for takes
  /// the place of the caller there, so at most num_threads() pool threads compute at one time.
  bool submit(Job* job);

  /// Takes a job back that no thread has begun. False when it runs, has run, or was never queued.
  bool withdraw(Job* job);

 private:
  ThreadPool();
  struct State;
  State* state_;
};

}  // namespace qgemm
