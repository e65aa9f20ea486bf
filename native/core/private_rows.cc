#include "core/private_rows.h"

#include <algorithm>
#include <new>

#include "core/gemm_f32.h"

namespace qgemm {

bool PrivateRows::begin(const InputScheme& scheme, const float* x, const Tiling& tiling) {
  scheme_ = scheme;
  x_ = x;
  mr_ = tiling.mr;
  ++call_;
  const size_t participants = std::min(tiling.threads, tiling.tasks());
  size_t bytes;
  if (!prepared_bytes(scheme, std::min(tiling.block_rows, tiling.m), mr_, &bytes)) return false;
  if (participants <= count_ && bytes <= bytes_each_) return true;
  const size_t count = std::max(participants, count_), bytes_each = std::max(bytes, bytes_each_);
  count_ = bytes_each_ = 0;
  slots_.reset(new (std::nothrow) Slot[count]);
  if (slots_ == nullptr) return false;
  for (size_t i = 0; i < count; ++i) {
    if (!slots_[i].rows.memory.allocate(bytes_each)) return false;
  }
  count_ = count;
  bytes_each_ = bytes_each;
  return true;
}

const PreparedRows& PrivateRows::of(const Block& block, size_t participant) {
  Slot& slot = slots_[participant];
  if (slot.call == call_ && slot.row0 == block.row0) return slot.rows;
  const size_t rows = block.row1 - block.row0;
  Input input;
  input.x = x_ + block.row0 * scheme_.k;
  // Neither can fail: the memory is there, and what is not finite is not asked for.
  if (scheme_.weights == Scheme::float32) {
    static_cast<void>(prepare_rows_f32(scheme_.k, input.x, rows, mr_, false, false, &slot.rows));
  } else {
    static_cast<void>(prepare_rows(scheme_, input, rows, false, false, &slot.rows));
  }
  slot.call = call_;
  slot.row0 = block.row0;
  return slot.rows;
}

void PrivateRows::keep_at_most(size_t bytes) {
  if (shared_.memory.size() > bytes) shared_.memory.reset();
  constexpr size_t kKeptForEach = size_t{2} << 20;
  if (bytes_each_ <= kKeptForEach || count_ * bytes_each_ <= bytes) return;
  slots_.reset();
  count_ = bytes_each_ = 0;
}

}  // namespace qgemm
