// Keeps gcc from rearranging an inner loop. Left alone, gcc 12 moves loads and multiplications of one accumulator
// together, needs more registers than there are, and spills sums in the loop (npm run inspect:kernels). So the kernels
// here multiply through volatile one-instruction statements, which stay in order, and end their loads with a fence.
// clang and MSVC get intrinsics.
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
#define QGEMM_IN_ORDER 1
#else
#define QGEMM_IN_ORDER 0
#endif

namespace qgemm {

// Loads written before it stay before, loads after it after; no instruction.
static inline void load_fence() {
#if QGEMM_IN_ORDER
  __asm__ volatile("" ::: "memory");
#endif
}

}  // namespace qgemm
