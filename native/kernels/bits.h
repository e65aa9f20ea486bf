#pragma once
#include <stddef.h>
#include <stdint.h>
#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace qgemm {

/// Index of the lowest bit that is set; `bits` is not 0.
static inline size_t lowest_bit(uint64_t bits) {
#if defined(_MSC_VER)
  unsigned long index;
  _BitScanForward64(&index, bits);
  return index;
#else
  return static_cast<size_t>(__builtin_ctzll(bits));
#endif
}

static inline size_t count_bits(uint64_t bits) {
#if defined(_MSC_VER)
  return static_cast<size_t>(__popcnt64(bits));
#else
  return static_cast<size_t>(__builtin_popcountll(bits));
#endif
}

}  // namespace qgemm
