#include "core/private_rows.h"

#include <algorithm>
#include <new>

#include "core/gemm_f32.h"

namespace qgemm {

bool PrivateRows::begin(const InputScheme& scheme, const float* x, const Tiling& tiling, Call* call) {
  size_t bytes;
  if (!prepared_bytes(scheme, std::min(tiling.block_rows, tiling.m), tiling.mr, &bytes)) return false;
  if (!reserve(std::min(tiling.threads, tiling.tasks()), bytes)) return false;
  call->slots_ = slots_.get();
  call->number_ = ++calls_;
  call->scheme_ = scheme;
  call->x_ = x;
  call->mr_ = tiling.mr;
  return true;
}

bool PrivateRows::reserve(size_t participants, size_t bytes) {
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

const PreparedRows& PrivateRows::Call::of(const Block& block, size_t participant) const {
  Slot& slot = slots_[participant];
  if (slot.call == number_ && slot.row0 == block.row0) return slot.rows;
  const size_t rows = block.row1 - block.row0;
  Input input;
  input.x = x_ + block.row0 * scheme_.k;
  // Neither can fail: the memory is there, and what is not finite is not asked for.
  if (scheme_.weights == Scheme::float32) {
    static_cast<void>(prepare_rows_f32(scheme_.k, input.x, rows, mr_, false, false, &slot.rows));
  } else {
    static_cast<void>(prepare_rows(scheme_, input, rows, false, false, &slot.rows));
  }
  slot.call = number_;
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
