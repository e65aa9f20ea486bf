#include "core/thread_pool.h"

#include <cfenv>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "core/patience.h"
#include "core/pool_worker.h"
#include "core/waking_pays.h"
#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

ThreadPool& pool() { return ThreadPool::instance(); }

// Counts how often each index ran.
struct Counts {
  std::unique_ptr<std::atomic<int>[]> times;
  size_t count;

  explicit Counts(size_t count) : times(new std::atomic<int>[count]()), count(count) {}
  static void add(void* context, size_t index) { ++static_cast<Counts*>(context)->times[index]; }
  bool all_are(int wanted) const {
    for (size_t i = 0; i < count; ++i) {
      if (times[i] != wanted) return false;
    }
    return true;
  }
};

bool wait_until(const std::atomic<int>& value, int wanted) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (value != wanted && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  return value == wanted;
}

QGEMM_TEST(every_index_runs_once) {
  for (const size_t threads : {1, 2, 3, 8}) {
    pool().set_num_threads(threads);
    EXPECT(pool().num_threads() == threads, "num_threads is %zu, not %zu", pool().num_threads(), threads);
    for (const size_t count : {0, 1, 2, 3, 7, 64, 1000}) {
      Counts counts(count);
      EXPECT(pool().parallel_for(count, Counts::add, &counts), "parallel_for says cancelled");
      EXPECT(counts.all_are(1), "threads=%zu count=%zu: an index ran not once", threads, count);
    }
  }
}

QGEMM_TEST(many_callers_at_once) {
  pool().set_num_threads(4);
  constexpr int kRounds = 300;
  std::vector<std::thread> callers;
  std::atomic<int> good{0};
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&good] {
      for (int round = 0; round < kRounds; ++round) {
        Counts counts(50);
        if (pool().parallel_for(50, Counts::add, &counts) && counts.all_are(1)) ++good;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT(good == 6 * kRounds, "%d of %d calls were whole", good.load(), 6 * kRounds);
}

QGEMM_TEST(a_task_may_call_parallel_for) {
  pool().set_num_threads(3);
  std::atomic<int> total{0};
  const auto inner = [](void* context, size_t) { ++*static_cast<std::atomic<int>*>(context); };
  struct Outer {
    std::atomic<int>* total;
    void (*inner)(void*, size_t);
  } outer = {&total, inner};
  pool().parallel_for(
      20,
      [](void* context, size_t) {
        const Outer& o = *static_cast<Outer*>(context);
        pool().parallel_for(30, o.inner, o.total);
      },
      &outer);
  EXPECT(total == 600, "%d of 600 inner tasks ran", total.load());
}

QGEMM_TEST(participants_are_alone_under_their_number) {
  for (const size_t most : {1, 2, 3, 5}) {
    pool().set_num_threads(4);
    struct Context {
      size_t most;
      std::atomic<int> inside[8] = {};
      std::atomic<int> bad{0}, ran{0};
    } context;
    context.most = most;
    const auto task = [](void* opaque, size_t, size_t p) {
      Context& c = *static_cast<Context*>(opaque);
      if (p >= c.most || p >= 4) {
        ++c.bad;
        return;
      }
      if (++c.inside[p] != 1) ++c.bad;
      for (int i = 0; i < 200; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
      --c.inside[p];
      ++c.ran;
    };
    for (int round = 0; round < 100; ++round) pool().parallel_for(50, most, task, &context, nullptr, {});
    EXPECT(context.bad == 0 && context.ran == 5000, "most=%zu: %d of 5000 ran, %d wrong", most, context.ran.load(),
           context.bad.load());
  }
}

QGEMM_TEST(cancelling_stops_early) {
  pool().set_num_threads(2);
  struct Context {
    std::atomic<bool> cancel{false};
    std::atomic<int> ran{0};
  } context;
  const bool finished = pool().parallel_for(
      100000,
      [](void* opaque, size_t) {
        Context& c = *static_cast<Context*>(opaque);
        if (++c.ran == 10) c.cancel = true;
      },
      &context, &context.cancel);
  EXPECT(!finished, "a cancelled call says it finished");
  EXPECT(context.ran >= 10 && context.ran < 100000, "%d tasks ran", context.ran.load());
}

struct CountingJob : ThreadPool::Job {
  std::atomic<int>* done;
  std::thread::id caller;
  std::atomic<int>* elsewhere;
};

QGEMM_TEST(a_withdrawn_job_never_runs) {
  // Before any test that submits jobs to more threads: a thread that such a test had summoned could come late, take the
  // blocker, and so leave the one thread of this test free to run the jobs.
  pool().set_num_threads(1);
  struct Blocker : ThreadPool::Job {
    std::atomic<int> state{0};  // 1: running, 2: may end, 3: over
  } blocker;
  blocker.run = [](ThreadPool::Job* base) {
    auto& state = static_cast<Blocker*>(base)->state;
    state = 1;
    wait_until(state, 2);
    state = 3;
  };
  std::atomic<int> done{0};
  CountingJob jobs[3];
  for (CountingJob& job : jobs) {
    job.done = &done;
    job.run = [](ThreadPool::Job* base) { ++*static_cast<CountingJob*>(base)->done; };
  }
  EXPECT(pool().submit(&blocker), "submit found no thread");
  EXPECT(wait_until(blocker.state, 1), "the first job does not run");
  for (CountingJob& job : jobs) EXPECT(pool().submit(&job), "submit found no thread");
  EXPECT(!pool().withdraw(&blocker), "a running job was withdrawn");
  EXPECT(pool().withdraw(&jobs[2]) && pool().withdraw(&jobs[0]), "a queued job was not withdrawn");
  EXPECT(!pool().withdraw(&jobs[0]), "a job was withdrawn twice");
  CountingJob last = {};
  last.done = &done;
  last.run = jobs[1].run;
  EXPECT(pool().submit(&last), "submit found no thread");
  blocker.state = 2;
  EXPECT(wait_until(done, 2), "%d of the 2 jobs that were left ran", done.load());
  EXPECT(wait_until(blocker.state, 3), "the first job did not end");
}

QGEMM_TEST(jobs_run_on_other_threads) {
  pool().set_num_threads(2);
  std::atomic<int> done{0}, elsewhere{0};
  constexpr int kJobs = 200;
  std::vector<CountingJob> jobs(kJobs);
  for (CountingJob& job : jobs) {
    job.done = &done;
    job.elsewhere = &elsewhere;
    job.caller = std::this_thread::get_id();
    job.run = [](ThreadPool::Job* base) {
      auto* self = static_cast<CountingJob*>(base);
      if (std::this_thread::get_id() != self->caller) ++*self->elsewhere;
      Counts counts(8);
      pool().parallel_for(8, Counts::add, &counts);
      if (counts.all_are(1)) ++*self->done;
    };
    EXPECT(pool().submit(&job), "submit found no thread");
  }
  EXPECT(wait_until(done, kJobs), "%d of %d jobs were done", done.load(), kJobs);
  EXPECT(elsewhere == kJobs, "%d of %d jobs ran on another thread", elsewhere.load(), kJobs);
}

QGEMM_TEST(tasks_run_with_the_default_floating_point_environment) {
  pool().set_num_threads(4);
  struct Context {
    std::atomic<int> wrong{0};
  } context;
  std::fesetround(FE_DOWNWARD);
  pool().parallel_for(
      200,
      [](void* opaque, size_t) {
        // Asked of the arithmetic itself: on x86 fegetround() tells of the x87 unit, which nothing here uses.
        volatile float one = 1.0f, three = 3.0f;
        if (one / three != 0x1.555556p-2f) ++static_cast<Context*>(opaque)->wrong;
      },
      &context);
  const int after = std::fegetround();
  std::fesetround(FE_TONEAREST);
  EXPECT(context.wrong == 0, "%d of 200 tasks ran with another rounding mode", context.wrong.load());
  EXPECT(after == FE_DOWNWARD, "the caller's rounding mode was changed");
}

#if !defined(_WIN32)
QGEMM_TEST(a_forked_child_still_works) {
  if (slow_cpu()) {
    std::printf("    not run under an emulator: qemu 7.2 itself fails when a forked child starts a thread\n");
    return;
  }
  pool().set_num_threads(3);
  Counts before(100);
  pool().parallel_for(100, Counts::add, &before);
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // a child that hangs ends by signal
    Counts counts(100);
    const bool whole = pool().parallel_for(100, Counts::add, &counts) && counts.all_are(1);
    _exit(whole ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with status %#x", status);
}
#endif

QGEMM_TEST(a_helper_that_is_woken_in_vain_is_spared_for_some_calls) {
  WakingPays waking_pays;
  const auto ask = [&](size_t size) {
    if (waking_pays.spared(size)) return false;
    waking_pays.learn(size, false);
    return true;
  };
  for (int i = 0; i < 4; ++i) EXPECT(ask(3), "spared after %d wakes in vain", i);
  EXPECT(ask(4), "spared for calls of another size");
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 16; ++i) EXPECT(!ask(3), "asked again after %d calls", i);
    for (int i = 0; i < 2; ++i) EXPECT(ask(3), "not asked twice before it is spared again");
  }
  for (int i = 0; i < 16; ++i) waking_pays.spared(3);
  waking_pays.learn(3, true);
  for (int i = 0; i < 4; ++i) EXPECT(ask(3), "spared after %d wakes in vain since one that was not", i);
}

QGEMM_TEST(sizes_of_calls_are_powers_of_two) {
  EXPECT(WakingPays::size_of(0) == 0 && WakingPays::size_of(1 << 19) == 1, "the first sizes are wrong");
  EXPECT(WakingPays::size_of((1 << 24) - 1) == 5 && WakingPays::size_of(1 << 24) == 6, "sizes are no powers of two");
  EXPECT(WakingPays::size_of(SIZE_MAX) == 15, "the last size is wrong");
}

// A worker without a thread: whoever offers it a task takes the offer back.
QGEMM_TEST(a_worker_is_woken_once) {
  PoolWorker worker;
  alignas(64) const char task[64] = {};
  worker.rest = PoolWorker::kAsleep;
  EXPECT(worker.wake(), "not woken");
  for (int i = 0; i < 100; ++i) {
    EXPECT(worker.offer(task), "an idle worker refused an offer");
    EXPECT(!worker.wake(), "woken again");
    EXPECT(!worker.join(task), "an offer that nobody took was waited for");
  }
}

QGEMM_TEST(patience_lasts_as_long_as_work_comes_in_time) {
  using std::chrono::microseconds;
  Patience patience;
  EXPECT(patience.now() == kSpinTime, "impatient at first");
  patience.work_took(microseconds(10));
  patience.work_came(microseconds(50));
  EXPECT(patience.now() == microseconds(80), "eight times as long as it worked");
  patience.gave_up();
  for (int i = 0; i < 8; ++i) {
    patience.work_came(microseconds(200));
    EXPECT(patience.now() == kSpinTime, "patient after %d times though work comes later than that", i);
  }
  patience.work_came(microseconds(200));
  EXPECT(patience.now() == microseconds(80), "does not try again");
  patience.gave_up();
  patience.work_came(microseconds(79));
  EXPECT(patience.now() == microseconds(80), "impatient though work came in time");
  patience.work_took(microseconds(1000));
  patience.work_came(microseconds(90));
  EXPECT(patience.now() == microseconds(100), "more patient than is good for others");
}

}  // namespace
}  // namespace test
}  // namespace qgemm
