#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

namespace qgemm {

/// Owned memory, aligned to 64 bytes at least, allocated nothrow; on huge pages where it is large and the system has
/// them. Move-only.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~AlignedBuffer() { reset(); }

  /// Replaces the memory by `bytes` uninitialised bytes. False, and empty, when there is not enough memory.
  [[nodiscard]] bool allocate(size_t bytes);

  /// Grows to at least `bytes`; what was inside is lost when it has to grow.
  [[nodiscard]] bool ensure(size_t bytes) { return (data_ != nullptr && bytes <= size_) || allocate(bytes); }

  void reset();

  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

/// Hints that the whole huge pages of 2 MiB within [data, data + bytes), if there are any, be backed as such, where
/// nothing was written to them yet, or read in a mapped file: a fresh output then costs far fewer page faults, and
/// weights no walks over page tables.
void advise_huge_pages(void* data, size_t bytes);

/// a * b, or false when it does not fit size_t.
[[nodiscard]] inline bool checked_multiply(size_t a, size_t b, size_t* result) {
  if (a != 0 && b > SIZE_MAX / a) return false;
  *result = a * b;
  return true;
}

inline size_t round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace qgemm
