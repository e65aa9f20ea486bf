#include "bench/loop_crew.h"

#include "bench/peak.h"
#include "core/cpu_affinity.h"
#include "core/spin.h"

namespace qgemm {
namespace bench {

LoopCrew::LoopCrew(const char* instruction, size_t threads) : instruction_(instruction) {
  const int caller = current_cpu();
  for (size_t i = 1; i < threads; ++i) helpers_.emplace_back([this, caller] { help(caller); });
}

LoopCrew::~LoopCrew() {
  run(0);
  for (std::thread& helper : helpers_) helper.join();
}

void LoopCrew::run(uint64_t steps) {
  steps_ = steps;
  done_.store(0, std::memory_order_relaxed);
  turn_.fetch_add(1, std::memory_order_release);
  register_loop(instruction_.c_str(), steps);
  while (done_.load(std::memory_order_acquire) != helpers_.size()) cpu_relax();
}

void LoopCrew::help(int caller_cpu) {
  keep_off_cpu(current_thread_id(), caller_cpu);
  for (uint64_t seen = 0;; ++seen) {
    while (turn_.load(std::memory_order_acquire) == seen) cpu_relax();
    const uint64_t steps = steps_;
    register_loop(instruction_.c_str(), steps);
    done_.fetch_add(1, std::memory_order_release);
    if (steps == 0) return;
  }
}

}  // namespace bench
}  // namespace qgemm
