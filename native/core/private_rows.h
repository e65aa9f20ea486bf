#pragma once
#include <cstdint>
#include <memory>

#include "core/prepared_rows.h"
#include "core/tiling.h"

namespace qgemm {

/// Rows that every participant of a multiplication prepares for itself, block by block, right before it multiplies
/// them. So no thread reads what another has just written: a cache line that another core has read costs its writer
/// tens of nanoseconds when it is written again, which for rows shared by two threads was half of a call of 50 us (Zen
/// 4).
///
/// Kept by the thread that multiplies, from call to call: a participant finds its memory in its own cache.
class PrivateRows {
  struct Slot;

 public:
  /// The rows of one multiplication.
  class Call {
   public:
    /// The rows of a block, prepared now unless this participant has them. Their row 0 is the block's.
    const PreparedRows& of(const Block& block, size_t participant) const;

   private:
    friend class PrivateRows;
    Slot* slots_ = nullptr;
    uint64_t number_ = 0;
    InputScheme scheme_;
    const float* x_ = nullptr;
    size_t mr_ = 0;
  };

  /// Before a multiplication of x[m, K]. False when there is not enough memory.
  [[nodiscard]] bool begin(const InputScheme& scheme, const float* x, const Tiling& tiling, Call* call);

  /// For rows that are prepared once, for all participants.
  PreparedRows* shared() { return &shared_; }

  /// Gives memory back if it is more than that, and more than 2 MiB for each participant.
  void keep_at_most(size_t bytes);

 private:
  struct alignas(64) Slot {
    uint64_t call = 0;  // the rows are of this call
    size_t row0 = 0;
    PreparedRows rows;
  };

  bool reserve(size_t participants, size_t bytes);

  PreparedRows shared_;
  std::unique_ptr<Slot[]> slots_;
  size_t count_ = 0, bytes_each_ = 0;
  uint64_t calls_ = 0;
};

}  // namespace qgemm
