// Rows of results that do not begin with a cache line, stored line by line where that pays: 16 floats across two lines
// cost two accesses, and malloc, which node takes its ArrayBuffers from, aligns to 16 bytes.
#pragma once
#include "kernels/vec/avx512.h"

// A function that takes sums or results by reference must be inlined, or they live in memory.
#if defined(_MSC_VER)
#define QGEMM_ALWAYS_INLINE __forceinline
#else
#define QGEMM_ALWAYS_INLINE inline __attribute__((always_inline))
#endif

namespace qgemm {

/// Where rows of whole vectors begin: `offset` floats (0..15) behind a cache line, all of them. 0 where they differ, or
/// where vectors are stored as they are.
struct LineShift {
  size_t offset;
  __m512i order;         // of lanes, from the vector before and this one
  __mmask16 head, tail;  // of the first line, and of the one behind the last
};

static inline LineShift line_shift(const GemmU8S8Args* args) {
  LineShift shift;
  const bool alike = args->ldc % kLanes == 0;
  shift.offset = args->whole_lines && alike ? reinterpret_cast<uintptr_t>(args->c) / sizeof(float) % kLanes : 0;
  const __m512i lanes = _mm512_setr_epi32(16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
  shift.order = _mm512_sub_epi32(lanes, _mm512_set1_epi32(static_cast<int32_t>(shift.offset)));
  shift.head = static_cast<__mmask16>(0xffffu << shift.offset);
  shift.tail = static_cast<__mmask16>(~shift.head);
  return shift;
}

/// c[0..16 * kVectors) = row.
template <int kVectors>
static QGEMM_ALWAYS_INLINE void store_row(float* c, const F32 (&row)[kVectors], const LineShift& shift) {
  if (shift.offset == 0) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) f32_store(c + v * kLanes, row[v]);
    return;
  }
  float* const line = c - shift.offset;
  _mm512_mask_store_ps(line, shift.head, _mm512_permutex2var_ps(row[0], shift.order, row[0]));
#pragma GCC unroll 8
  for (int v = 1; v < kVectors; ++v) {
    _mm512_store_ps(line + v * kLanes, _mm512_permutex2var_ps(row[v - 1], shift.order, row[v]));
  }
  const F32 last = row[kVectors - 1];
  _mm512_mask_store_ps(line + kVectors * kLanes, shift.tail, _mm512_permutex2var_ps(last, shift.order, last));
}

}  // namespace qgemm
