#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <new>

#include "core/aligned_buffer.h"

namespace qgemm {
namespace bench {

/// The same numbers in every run, on every platform: splitmix64.
class Values {
 public:
  explicit Values(uint64_t seed) : state_(seed) {}
  uint64_t bits() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  /// Normal, deviation 1 (Box-Muller): what weights of real layers look like, whose ends are drawn out further still.
  /// Ends that are cut off instead make it harder for kernels that add in 16 bits.
  float normal() {
    constexpr double kTurn = 6.283185307179586 / 4294967296.0;
    const uint64_t z = bits();
    const double radius = std::sqrt(-2 * std::log((static_cast<double>(z >> 32) + 0.5) / 4294967296.0));
    return static_cast<float>(radius * std::cos(kTurn * static_cast<double>(z & 0xffffffff)));
  }

 private:
  uint64_t state_;
};

/// Memory as the library allocates it, huge pages included. Throws std::bad_alloc.
template <typename T>
class Array {
 public:
  explicit Array(size_t count) {
    if (!buffer_.allocate(count * sizeof(T))) throw std::bad_alloc();
  }
  T* data() const { return buffer_.as<T>(); }
  T& operator[](size_t i) const { return data()[i]; }

 private:
  AlignedBuffer buffer_;
};

inline Array<float> normal_values(size_t count, uint64_t seed) {
  Array<float> array(count);
  Values values(seed);
  for (size_t i = 0; i < count; ++i) array[i] = values.normal();
  return array;
}

}  // namespace bench
}  // namespace qgemm
