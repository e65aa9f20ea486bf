#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernels/kernel.h"

namespace qgemm {

struct PackedWeights;

/// Large pairs and the memory they lie in.
struct LargePairList {
  LargePairs view = {};
  LargePair* pairs = nullptr;
  LargePairBlock* blocks = nullptr;

  LargePairList() = default;
  LargePairList(const LargePairList&) = delete;
  LargePairList& operator=(const LargePairList&) = delete;
  ~LargePairList();
};

/// Finds the large pairs of int8 panels (kernel.h), [panels][padded_k/4][32][4], `panel_stride` bytes apart. Null when
/// there are more than `most`, or not enough memory. The caller deletes the list.
LargePairList* find_large_pairs(const int8_t* panels, size_t count, size_t padded_k, size_t panel_stride, size_t most);

/// The large pairs of one matrix, found when they are asked for a second time: weights that are multiplied once are not
/// worth a look at each of them. Threads may ask at once.
class LargePairsCache {
 public:
  LargePairsCache() = default;
  LargePairsCache(const LargePairsCache&) = delete;
  LargePairsCache& operator=(const LargePairsCache&) = delete;
  ~LargePairsCache();

  /// Null the first time, where one in 64 pairs or more is large (no kernel gains then), and when memory is short.
  const LargePairs* get(const PackedWeights& weights) const;

 private:
  mutable std::atomic<bool> asked_{false}, looked_{false};
  mutable std::atomic<const LargePairList*> list_{nullptr};
};

}  // namespace qgemm
