#include "core/reuse_distance.h"

#include <algorithm>

namespace qgemm {
namespace {

// What fits a level-1 cache drives nothing out, and its calls are so short that a count shared by all threads would
// show.
constexpr size_t kNotCounted = 32768;

// Each call writes it: what lay on the same cache line would leave the caches of all other cores.
struct alignas(64) Counter {
  std::atomic<uint64_t> bytes{0};
} all_read;

}  // namespace

size_t ReuseDistance::read(size_t bytes) const {
  if (bytes <= kNotCounted) return bytes;
  const uint64_t now = all_read.bytes.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  const uint64_t before = read_at_.load(std::memory_order_relaxed);
  read_at_.store(now, std::memory_order_relaxed);
  // Another thread may have read them after this one has counted.
  return std::max(before < now ? static_cast<size_t>(std::min<uint64_t>(now - before, SIZE_MAX)) : 0, bytes);
}

}  // namespace qgemm
