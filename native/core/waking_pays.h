#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace qgemm {

/// Whether to wake a helper, learned by its callers for each size of calls: waking it costs the caller microseconds,
/// and where it comes when half is done, because its core is busy or calls are short, the call takes longer than alone.
/// Callers at once may disagree by one.
class WakingPays {
 public:
  /// Calls within a factor of two have the same size.
  static size_t size_of(size_t work) {
    size_t size = 0;
    for (work >>= 18; work > 1 && size + 1 < kSizes; work >>= 1) ++size;
    return size;
  }

  /// Whether to let it sleep for once: after some wakes in a row that were in vain.
  bool spared(size_t size) {
    const uint8_t calls = to_spare_[size].load(std::memory_order_relaxed);
    if (calls == 0) return false;
    to_spare_[size].store(calls - 1, std::memory_order_relaxed);
    return true;
  }

  /// Whether the call was faster than without it.
  void learn(size_t size, bool gained) {
    std::atomic<uint8_t>& in_vain = in_vain_[size];
    const uint8_t wakes = in_vain.load(std::memory_order_relaxed);
    if (gained) {
      if (wakes != 0) in_vain.store(0, std::memory_order_relaxed);
      return;
    }
    if (wakes + 1 < kAttempts) return in_vain.store(wakes + 1, std::memory_order_relaxed);
    in_vain.store(kAttempts - 2, std::memory_order_relaxed);  // then two more
    to_spare_[size].store(kSparedCalls, std::memory_order_relaxed);
  }

 private:
  enum : uint8_t { kAttempts = 4, kSparedCalls = 16 };
  static constexpr size_t kSizes = 16;
  std::atomic<uint8_t> in_vain_[kSizes] = {}, to_spare_[kSizes] = {};
};

}  // namespace qgemm
