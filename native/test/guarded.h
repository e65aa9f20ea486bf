// Memory that ends at a page which may not be touched: one byte read or written too far ends the program, and bytes
// written before the start are found. POSIX only, as the native tests are.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/aligned_buffer.h"

namespace qgemm {
namespace test {

/// Bytes between a buffer and its guard page: 0, unless QGEMM_TEST_GUARD_SLACK=1. qemu 7.2 reads all lanes of a masked
/// AVX load, also those that are masked off, and would fault where no CPU does.
inline size_t guard_slack() {
  const char* value = std::getenv("QGEMM_TEST_GUARD_SLACK");
  return value != nullptr && std::strcmp(value, "1") == 0 ? 64 : 0;
}

template <typename T>
class Guarded {
 public:
  /// Room for `capacity` elements, reused by every `take`.
  explicit Guarded(size_t capacity) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    slack_ = guard_slack();
    bytes_ = round_up(capacity * sizeof(T) + kCanaryBytes + slack_, page);
    void* memory = mmap(nullptr, bytes_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(static_cast<char*>(memory) + bytes_, page, PROT_NONE) != 0) {
      std::perror("mmap");
      std::exit(1);
    }
    mapped_ = bytes_ + page;
    base_ = static_cast<char*>(memory);
  }
  ~Guarded() { munmap(base_, mapped_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  /// The last `count` elements before the guard page, with canaries in front.
  T* take(size_t count) {
    char* start = base_ + bytes_ - slack_ - count * sizeof(T);
    if (start < base_ + kCanaryBytes) {
      std::printf("Guarded: %zu elements of %zu bytes do not fit\n", count, sizeof(T));
      std::exit(1);
    }
    std::memset(start - kCanaryBytes, kCanary, kCanaryBytes);
    std::memset(base_ + bytes_ - slack_, kCanary, slack_);
    start_ = start;
    return reinterpret_cast<T*>(start);
  }

  /// Whether nothing was written right before (and, with slack, behind) the memory that was taken last.
  bool intact() const {
    for (size_t i = 1; i <= kCanaryBytes; ++i) {
      if (static_cast<unsigned char>(start_[-static_cast<ptrdiff_t>(i)]) != kCanary) return false;
    }
    for (size_t i = 1; i <= slack_; ++i) {
      if (static_cast<unsigned char>(base_[bytes_ - i]) != kCanary) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kCanaryBytes = 256;
  static constexpr unsigned char kCanary = 0xa5;
  char* base_ = nullptr;
  char* start_ = nullptr;
  size_t bytes_ = 0, mapped_ = 0, slack_ = 0;
};

}  // namespace test
}  // namespace qgemm
