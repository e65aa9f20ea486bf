#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace qgemm {

/// Where weights will be read from follows from what was read since the last time: a model's layers come round in turn,
/// and those of a large model drive each other out of the caches, however small each is.
class ReuseDistance {
 public:
  /// `bytes` of weights are about to be read. Returns how many bytes of any weights this process has read since these
  /// were read last, themselves included: a cache of this size still has them. Threads may ask at once.
  size_t read(size_t bytes) const;

 private:
  mutable std::atomic<uint64_t> read_at_{0};  // in bytes of weights, since the process began
};

}  // namespace qgemm
