// Ranges of the channels of a tensor, and the scales and zero points made from them.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <new>

#include "core/aligned_buffer.h"
#include "core/dispatch.h"
#include "core/float_bits.h"
#include "core/quantize.h"
#include "core/thread_pool.h"

namespace qgemm {
namespace {

// The range of one channel, which any number of threads widen. Floats >= +0 order like their bits, so -lo and hi are
// kept as bits; a maximum depends on no order, so neither does the result.
struct ChannelRange {
  std::atomic<uint32_t> negated_lo{0};
  std::atomic<uint32_t> hi{0};
};

void raise(std::atomic<uint32_t>* bits, float value) {
  const uint32_t candidate = bits_of(value);
  uint32_t seen = bits->load(std::memory_order_relaxed);
  while (candidate > seen && !bits->compare_exchange_weak(seen, candidate, std::memory_order_relaxed)) {
  }
}

// Below this, ranges per column cost less than a call of the kernel per channel.
constexpr size_t kMinRun = 32;

struct RangeWork {
  const float* x;
  Slab slab;
  ChannelRange* ranges;
  std::atomic<bool> non_finite;
  MinMaxFn kernel;
};

void widen_ranges(void* context, const Piece& piece) {
  RangeWork& work = *static_cast<RangeWork*>(context);
  float lo[kPieceColumns], hi[kPieceColumns];
  const size_t count = piece.shape.per_column ? piece.shape.columns : 1;
  std::fill(lo, lo + count, 0.0f);
  std::fill(hi, hi + count, 0.0f);
  MinMaxArgs args{piece.shape, work.x + piece.offset, lo, hi, false};
  work.kernel(&args);
  if (args.non_finite) work.non_finite.store(true, std::memory_order_relaxed);
  for_each_channel(work.slab, piece, [&](size_t channel, size_t column, size_t columns) {
    ChannelRange& range = work.ranges[channel];
    raise(&range.negated_lo, 0.0f - *std::min_element(lo + column, lo + column + columns));  // not -lo: +0 stays +0
    raise(&range.hi, *std::max_element(hi + column, hi + column + columns));
  });
}

constexpr size_t kChannelsPerTask = 1024;

struct ChooseWork {
  const ChannelRange* ranges;
  size_t axis;
  bool empty;
  const QRange* range;
  float* scales;
  int32_t* zero_points;
};

void choose_channels(void* context, size_t index) {
  const ChooseWork& work = *static_cast<const ChooseWork*>(context);
  const size_t end = std::min(work.axis, (index + 1) * kChannelsPerTask);
  for (size_t channel = index * kChannelsPerTask; channel < end; ++channel) {
    const float lo = 0.0f - float_of(work.ranges[channel].negated_lo.load(std::memory_order_relaxed));
    const float hi = float_of(work.ranges[channel].hi.load(std::memory_order_relaxed));
    const QParams chosen = choose_qparams(*work.range, lo, hi, work.empty);
    work.scales[channel] = chosen.scale;
    work.zero_points[channel] = chosen.zero_point;
  }
}

}  // namespace

Status choose_qparams(const float* x, const Slab& slab, const QRange& range, bool reject_non_finite, float* scales,
                      int32_t* zero_points) {
  size_t bytes;
  AlignedBuffer memory;
  if (!checked_multiply(slab.axis, sizeof(ChannelRange), &bytes) || !memory.allocate(bytes)) {
    return Status::out_of_memory;
  }
  ChannelRange* ranges = memory.as<ChannelRange>();
  for (size_t i = 0; i < slab.axis; ++i) new (ranges + i) ChannelRange;

  RangeWork work{x, slab, ranges, {false}, choose_minmax(dispatch_config()).run};
  for_each_piece(slab, kMinRun, widen_ranges, &work);
  if (reject_non_finite && work.non_finite.load(std::memory_order_relaxed)) return Status::non_finite;

  const bool empty = slab.outer == 0 || slab.inner == 0;
  ChooseWork choose{ranges, slab.axis, empty, &range, scales, zero_points};
  ThreadPool::instance().parallel_for((slab.axis + kChannelsPerTask - 1) / kChannelsPerTask, choose_channels, &choose);
  return Status::ok;
}

bool extend_range(const float* x, size_t size, float* lo, float* hi) {
  ChannelRange whole;
  raise(&whole.negated_lo, 0.0f - *lo);
  raise(&whole.hi, *hi);
  RangeWork work{x, Slab{1, 1, size}, &whole, {false}, choose_minmax(dispatch_config()).run};
  for_each_piece(work.slab, kMinRun, widen_ranges, &work);
  *lo = 0.0f - float_of(whole.negated_lo.load(std::memory_order_relaxed));
  *hi = float_of(whole.hi.load(std::memory_order_relaxed));
  return !work.non_finite.load(std::memory_order_relaxed);
}

size_t find_non_finite(const float* x, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (!std::isfinite(x[i])) return i;
  }
  return size;
}

}  // namespace qgemm
