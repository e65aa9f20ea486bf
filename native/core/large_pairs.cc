#include "core/large_pairs.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/pack.h"

namespace qgemm {
namespace {

constexpr size_t kStepPairs = 2 * kPanelColumns;  // of a panel, per four k
constexpr size_t kLeastShare = 64;                // at most one of so many pairs is large where a list is worth having

// Two codes of opposite sign never reach kMaxPairSum. `pair` holds both, in whatever byte order.
int pair_sum(int16_t pair) {
  const auto low = static_cast<int16_t>(static_cast<uint16_t>(pair) << 8);
  return (pair >> 8) + (low >> 8);
}

// Most steps have no large pair: compilers turn this into vector instructions.
bool step_has_large_pair(const int8_t* step) {
  int16_t pairs[kStepPairs];
  memcpy(pairs, step, sizeof pairs);
  int16_t most = 0, least = 0;
  for (const int16_t pair : pairs) {
    const auto sum = static_cast<int16_t>(pair_sum(pair));
    most = std::max(most, sum);
    least = std::min(least, sum);
  }
  return most > kMaxPairSum || least < -kMaxPairSum;
}

bool is_large(const int8_t* w) {
  const int sum = w[0] + w[1];
  return sum > kMaxPairSum || sum < -kMaxPairSum;
}

// Steps of four k of up to four panels, `stride` bytes apart.
struct BlockOfPanels {
  const int8_t* first;
  size_t panels, stride, steps, column;
};

// Calls found(index of the pair's k / 2, column, its two weights) for the large pairs of a block, in the order of k.
template <typename Fn>
void for_each_large_pair(const BlockOfPanels& b, const Fn& found) {
  for (size_t step = 0; step < b.steps; ++step) {
    bool large[kPairColumns / kPanelColumns] = {};
    const int8_t* w = b.first + step * (2 * kStepPairs);
    for (size_t panel = 0; panel < b.panels; ++panel) large[panel] = step_has_large_pair(w + panel * b.stride);
    for (size_t half = 0; half < 2; ++half) {
      for (size_t column = 0; column < b.panels * kPanelColumns; ++column) {
        if (!large[column / kPanelColumns]) continue;
        const int8_t* pair = w + column / kPanelColumns * b.stride + column % kPanelColumns * 4 + 2 * half;
        if (is_large(pair)) found(2 * step + half, b.column + column, pair);
      }
    }
  }
}

}  // namespace

LargePairList::~LargePairList() {
  delete[] pairs;
  delete[] blocks;
}

LargePairList* find_large_pairs(const int8_t* panels, size_t count, size_t padded_k, size_t panel_stride, size_t most) {
  constexpr size_t kPanels = kPairColumns / kPanelColumns;
  const size_t groups = (count + kPanels - 1) / kPanels, chunks = (padded_k + kPairDepth - 1) / kPairDepth;
  auto* list = new (std::nothrow) LargePairList;
  if (list == nullptr) return nullptr;
  const auto block_at = [&](size_t index) {
    const size_t panel = index % groups * kPanels, k = index / groups * kPairDepth;
    return BlockOfPanels{panels + panel * panel_stride + k * kPanelColumns, std::min(kPanels, count - panel),
                         panel_stride, std::min(padded_k - k, size_t{kPairDepth}) / 4, panel * kPanelColumns};
  };
  list->blocks = new (std::nothrow) LargePairBlock[chunks * groups];
  bool complete = list->blocks != nullptr;
  size_t total = 0;
  for (size_t i = 0; i < chunks * groups && complete; ++i) {
    LargePairBlock& block = list->blocks[i];
    block.start = static_cast<uint32_t>(total);
    memset(block.limits, UINT8_MAX, sizeof block.limits);
    memset(block.ends, 0, sizeof block.ends);
    for_each_large_pair(block_at(i), [&](size_t at, size_t, const int8_t* w) {
      const auto limit = static_cast<uint8_t>(INT16_MAX / std::abs(w[0] + w[1]));
      block.limits[at] = std::min(block.limits[at], limit);
      ++block.ends[at];
      ++total;
    });
    for (size_t at = 1; at < kPairDepth / 2; ++at) block.ends[at] += block.ends[at - 1];
    complete = total <= std::min(most, size_t{UINT32_MAX});
  }
  if (complete) list->pairs = new (std::nothrow) LargePair[std::max(total, size_t{1})];
  if (list->pairs == nullptr) {
    delete list;
    return nullptr;
  }
  LargePair* out = list->pairs;
  for (size_t i = 0; i < chunks * groups; ++i) {
    for_each_large_pair(block_at(i), [&](size_t, size_t column, const int8_t* w) {
      *out++ = {static_cast<uint16_t>(column), {w[0], w[1]}};
    });
  }
  list->view = {list->pairs, list->blocks, groups};
  return list;
}

LargePairsCache::~LargePairsCache() { delete list_.load(std::memory_order_relaxed); }

const LargePairs* LargePairsCache::get(const PackedWeights& weights) const {
  if (const LargePairList* list = list_.load(std::memory_order_acquire)) return &list->view;
  if (!asked_.exchange(true, std::memory_order_relaxed) || looked_.exchange(true, std::memory_order_relaxed)) {
    return nullptr;
  }
  const LargePairList* list =
      find_large_pairs(static_cast<const int8_t*>(weights.panels), weights.padded_n() / kPanelColumns,
                       weights.padded_k(), weights.panel_stride(), weights.panels_bytes() / 2 / kLeastShare);
  list_.store(list, std::memory_order_release);
  return list == nullptr ? nullptr : &list->view;
}

}  // namespace qgemm
