// The float32 rows of a tile, one value of each for a step of k. Include after a vector wrapper.
#pragma once
#include "kernels/kernel.h"

namespace qgemm {
namespace {  // internal linkage: each file has its own flags

// kPacked: GemmF32Args::row_stride is 1. kStrided: it may be anything, which takes more registers.
enum Layout { kPacked, kStrided };

template <int kRows, Layout kLayout>
class Rows {
 public:
  explicit Rows(const GemmF32Args* args)
      : step_(args->lda), row_stride_(kLayout == kPacked ? 1 : static_cast<ptrdiff_t>(args->row_stride)) {
#pragma GCC unroll 8
    for (int i = 0; i < kPointers; ++i) at_[i] = args->a + kRowsOfPointer * i * row_stride_;
  }
  const float& operator[](int row) const { return at_[row / kRowsOfPointer][row % kRowsOfPointer * row_stride_]; }
  void next_step() {
#pragma GCC unroll 8
    for (int i = 0; i < kPointers; ++i) at_[i] += step_;
  }

 private:
  // An address is a pointer, or one and a stride once or twice: three rows.
  static constexpr int kRowsOfPointer = kLayout == kPacked ? kRows : 3;
  static constexpr int kPointers = (kRows + kRowsOfPointer - 1) / kRowsOfPointer;
  const float* at_[kPointers];
  size_t step_;
  ptrdiff_t row_stride_;
};

}  // namespace
}  // namespace qgemm
