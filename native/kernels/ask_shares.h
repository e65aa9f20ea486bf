// How tiles that are computed one after the other share in asking for what comes next.
#pragma once
#include "kernels/rows_of.h"

namespace qgemm {

/// Of `lines` cache lines that each 16 steps of k of `tiles` tiles ask for together: those of the tiles before `tile`.
/// Each asks for one, or for pairs, as evenly as that goes: what comes in bursts is waited for.
static inline size_t lines_before(size_t tile, size_t tiles, size_t lines) {
  if (tiles >= lines) return smaller(tile, lines);
  const size_t share = (lines * tile + tiles - 1) / tiles;
  return smaller(share + share % 2, lines);
}

}  // namespace qgemm
