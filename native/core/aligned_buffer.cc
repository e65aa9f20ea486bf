#include "core/aligned_buffer.h"

#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace qgemm {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kHugePage = size_t{2} << 20;

// Large weights are read from end to end for every small batch: with 2 MiB pages the walk over page tables disappears
// (docs/kernel-benchmarks.md).
size_t alignment_for(size_t bytes) { return bytes >= kHugePage ? kHugePage : kCacheLine; }

}  // namespace

bool AlignedBuffer::allocate(size_t bytes) {
  reset();
  const size_t alignment = alignment_for(bytes);
  if (bytes > SIZE_MAX - alignment) return false;
  data_ = ::operator new(bytes == 0 ? 1 : bytes, std::align_val_t(alignment), std::nothrow);
  if (data_ == nullptr) return false;
  size_ = bytes;
  advise_huge_pages(data_, bytes);
  return true;
}

void AlignedBuffer::reset() {
  ::operator delete(data_, std::align_val_t(alignment_for(size_)));
  data_ = nullptr;
  size_ = 0;
}

void advise_huge_pages(void* data, size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  const uintptr_t start = round_up(reinterpret_cast<uintptr_t>(data), kHugePage);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) / kHugePage * kHugePage;
  // Only a hint: no matter if the kernel says no.
  if (end > start) madvise(reinterpret_cast<void*>(start), end - start, MADV_HUGEPAGE);
#else
  static_cast<void>(data);
  static_cast<void>(bytes);
#endif
}

}  // namespace qgemm
