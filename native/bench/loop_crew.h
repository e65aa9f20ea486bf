#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace qgemm {
namespace bench {

/// Threads that run a register-only loop together: what a call on several threads takes that shares nothing, hands over
/// at once and waits for the last of them. Helpers spin from the first turn to the last.
class LoopCrew {
 public:
  /// `threads` includes the caller's. Helpers keep off its CPU.
  LoopCrew(const char* instruction, size_t threads);
  ~LoopCrew();
  LoopCrew(const LoopCrew&) = delete;
  LoopCrew& operator=(const LoopCrew&) = delete;

  /// `steps` turns of the loop on each thread. Returns when all are done.
  void run(uint64_t steps);

 private:
  void help(int caller_cpu);

  const std::string instruction_;
  std::vector<std::thread> helpers_;
  alignas(64) std::atomic<uint64_t> turn_{0};
  uint64_t steps_ = 0;  // of this turn; 0: helpers end
  alignas(64) std::atomic<size_t> done_{0};
};

}  // namespace bench
}  // namespace qgemm
