// Included by kernel files after their vector wrapper, which brings the intrinsics.
#pragma once
#include "kernels/kernel.h"

namespace qgemm {

/// Steps of k that one call of ask_for_next is for.
constexpr size_t kStepsOfAsking = 4;

/// Far weights are asked for so many bytes before they are read, where nobody has done that.
constexpr size_t kFarBytes = 8192;

/// Asks for the cache lines at `next` in four places (kernel.h), into the level-2 cache. Returns where to go on.
static inline const char* ask_for_next(const GemmF32Args* args, const char* next) {
  const size_t quarter = args->next_quarter;
  const int lines = args->next_all ? 2 : 1;
  for (int line = 0; line < lines; ++line, next += 64) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) _mm_prefetch(next + i * quarter, _MM_HINT_T1);
  }
  return next;
}

}  // namespace qgemm
