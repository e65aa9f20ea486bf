#include "core/thread_pool.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <system_error>
#include <thread>

#include "core/crew.h"
#include "core/fp_env.h"
#include "core/job_queue.h"
#include "core/parallel_task.h"
#include "core/patience.h"
#include "core/pool_worker.h"
#include "core/scoped_signal_block.h"
#include "core/thread_count.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace qgemm {

namespace {

/// The pool thread that this thread is, or null.
thread_local PoolWorker* current_worker = nullptr;

}  // namespace

struct ThreadPool::State {
  std::atomic<size_t> num_threads{1};
  std::atomic<size_t> started{0};  // workers[0, started) have threads
  std::atomic<PoolWorker*> workers[kMaxThreads] = {};

  std::mutex start_mutex;
  std::chrono::steady_clock::time_point next_start_attempt{};

  JobQueue jobs;

  size_t start_workers(size_t wanted);
  bool start_worker(size_t index);
  void run_worker(PoolWorker* self);
  bool may_take_job(const PoolWorker& worker) const { return !jobs.empty() && worker.index < num_threads.load(); }
  Clock::time_point wait_for_work(PoolWorker* self, Clock::time_point since, Patience* patience);
};

bool ThreadPool::State::start_worker(size_t index) {
  PoolWorker* worker = workers[index].load();
  if (worker == nullptr) {
    worker = new (std::nothrow) PoolWorker;
    if (worker == nullptr) return false;
    worker->index = index;
    workers[index].store(worker);
  }
  // std::thread reports "no more threads" by throwing; pthread_create directly would tie the binary to a newer glibc.
  try {
    ScopedSignalBlock no_signals;
    std::thread([this, worker] { run_worker(worker); }).detach();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

/// Starts workers until `wanted` run or no more can be had. Returns how many run.
size_t ThreadPool::State::start_workers(size_t wanted) {
  size_t have = started.load();
  if (have >= wanted) return have;
  std::lock_guard<std::mutex> lock(start_mutex);
  auto now = std::chrono::steady_clock::now();
  if (now < next_start_attempt) return started.load();
  for (have = started.load(); have < wanted; ++have) {
    if (!start_worker(have)) {
      next_start_attempt = now + std::chrono::seconds(1);
      break;
    }
    started.store(have + 1);
  }
  return have;
}

/// Returns when the work came, as far as the clock was looked at.
Clock::time_point ThreadPool::State::wait_for_work(PoolWorker* self, Clock::time_point since, Patience* patience) {
  const auto ready = [&] { return self->mailbox.load() != PoolWorker::kIdle || may_take_job(*self); };
  // Whoever woke it for an offer that it came too late for has the next one soon, if calls are short.
  Clock::time_point now = since;
  while (!spin_until(ready, since + patience->now(), &now)) {
    patience->gave_up();
    self->sleep_unless(ready);
    now = Clock::now();
    patience->work_came(now - since);
    if (ready()) return now;
    since = now;
  }
  patience->work_came(now - since);
  return now;
}

void ThreadPool::State::run_worker(PoolWorker* self) {
  ScopedFpEnv fp_env;
  current_worker = self;
  self->thread_id.store(current_thread_id(), std::memory_order_relaxed);
  Patience patience;
  Clock::time_point idle_since = Clock::now();
  while (true) {
    const Clock::time_point begun = wait_for_work(self, idle_since, &patience);
    uintptr_t mail = self->mailbox.load();
    if ((mail & PoolWorker::kOffered) != 0) {
      auto* task = reinterpret_cast<ParallelTask*>(mail & PoolWorker::kTaskMask);
      task->ask_for_task(self->index);
      if (!self->accept(mail)) {
        idle_since = begun;  // the next one may come as soon
        continue;
      }
      PoolWorker::set(&self->cpu, current_cpu());
      task->ask_for_work();
      const bool came_in_time = task->participate(task->participant_of_worker(self->index)) != 0;
      self->finish();
      const Clock::time_point end = Clock::now();
      if (came_in_time) patience.work_took(end - begun);
      idle_since = end;
    } else if (mail == PoolWorker::kSummoned || self->summon()) {
      self->run_anywhere();
      if (Job* job = jobs.take()) job->run(job);
      self->mailbox.store(PoolWorker::kIdle);
      idle_since = Clock::now();
    }
  }
}

ThreadPool::ThreadPool() : state_(new State) {
  size_t threads = 1;
  std::string error;  // a bad value is reported by who loads the library; here it counts as absent
  parse_thread_count(std::getenv("QGEMM_NUM_THREADS"), available_threads(), &threads, &error);
  state_->num_threads.store(threads);
}

ThreadPool& ThreadPool::instance() {
  static ThreadPool* pool = [] {
    static ThreadPool* made = new ThreadPool;
#if !defined(_WIN32)
    // A forked child has none of the threads, and locks may be in the middle of anything: it gets a state of its own.
    pthread_atfork(nullptr, nullptr, [] {
      State* fresh = new State;
      fresh->num_threads.store(made->state_->num_threads.load());
      made->state_ = fresh;
      current_worker = nullptr;
    });
#endif
    return made;
  }();
  return *pool;
}

size_t ThreadPool::num_threads() const { return state_->num_threads.load(std::memory_order_relaxed); }

void ThreadPool::set_num_threads(size_t threads) {
  state_->num_threads.store(std::clamp<size_t>(threads, 1, kMaxThreads));
}

bool ThreadPool::parallel_for(size_t count, void (*task)(void* context, size_t index), void* context,
                              const std::atomic<bool>* cancel) {
  struct Plain {
    void (*task)(void* context, size_t index);
    void* context;
  } plain = {task, context};
  return parallel_for(count, kMaxThreads,
                      [](void* opaque, size_t index, size_t) {
                        const Plain& call = *static_cast<const Plain*>(opaque);
                        call.task(call.context, index);
                      },
                      &plain, cancel, {});
}

bool ThreadPool::parallel_for(size_t count, size_t most, ParticipantTask task, void* context,
                              const std::atomic<bool>* cancel, const Hints& hints) {
  ScopedFpEnv fp_env;
  size_t participants = std::min({count, most, num_threads()});
  if (participants <= 1 || count > UINT32_MAX) {
    for (size_t i = 0; i < count; ++i) {
      if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) return false;
      task(context, i, 0);
    }
    return true;
  }

  State& state = *state_;
  const PoolWorker* self = current_worker;
  // A caller from outside is participant 0 and worker i is i + 1; among pool threads worker i is i, whoever calls,
  // unless the caller is none of the first.
  const bool outside = self == nullptr || self->index >= participants;
  size_t first = outside ? 1 : 0;
  ParallelTask shared(count, participants, first, {task, context, hints.read_first, hints.read_first_bytes}, cancel);
  size_t helpers = std::min(participants - first, state.start_workers(participants - first));
  Crew crew(state.workers, helpers, self, hints.work);
  crew.ask(&shared);
  const size_t own = shared.participate(outside ? 0 : self->index);
  crew.join(&shared, own, count);
  return !shared.stopped();
}

bool ThreadPool::submit(Job* job) {
  State& state = *state_;
  if (state.start_workers(1) == 0) return false;
  state.jobs.push(job);
  // From the last worker down: callers from outside ask the first ones.
  size_t threads = num_threads();
  for (size_t i = std::min(threads, state.started.load()); i-- > 0;) {
    PoolWorker* worker = state.workers[i].load(std::memory_order_relaxed);
    if (!worker->summon()) continue;
    worker->wake();
    return true;
  }
  // Nobody is free: one more thread, or else whoever is free first looks into the queue.
  size_t started = state.started.load();
  if (started < threads) state.start_workers(started + 1);
  return true;
}

bool ThreadPool::withdraw(Job* job) { return state_->jobs.withdraw(job); }

}  // namespace qgemm
