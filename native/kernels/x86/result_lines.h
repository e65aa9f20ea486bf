// Where a tile will be stored, asked for while it is computed. Include after a vector wrapper.
#pragma once
#include "kernels/kernel.h"

namespace qgemm {
namespace {  // internal linkage: each file has its own flags

// Asks for the cache lines that a tile will be stored to, in equal shares while it is computed. The ends of some rows
// lie pages apart, which no hardware prefetcher foresees; and asked for all at once, they keep weights waiting for
// longer than they save (5 % of 512 x 768 x 3072, Zen 4).
template <bool kAsks>
class ResultLines {
 public:
  ResultLines(const GemmU8S8Args* args, size_t row, size_t rows, size_t shares) {
    const size_t value_bytes = args->epilogue.output != nullptr ? 1 : sizeof(float), ld = args->ldc * value_bytes;
    at_ = static_cast<const char*>(args->c) + row * ld;
    in_row_ = in_each_row_ = args->n * value_bytes / 64 + 1;
    to_next_row_ = static_cast<ptrdiff_t>(ld) - static_cast<ptrdiff_t>(in_each_row_ * 64);
    rows_ = args->c_is_far && shares != 0 ? rows : 0;
    const uint32_t lines = static_cast<uint32_t>(rows_ * in_each_row_), in = static_cast<uint32_t>(shares);
    in_share_ = lines != 0 ? (lines + in - 1) / in : 0;
  }

  void ask_for_share() {
    if (rows_ == 0) return;
    for (size_t line = 0; line < in_share_ && rows_ != 0; ++line) {
      prefetch(at_);
      at_ += 64;
      if (--in_row_ != 0) continue;
      at_ += to_next_row_;
      in_row_ = in_each_row_;
      --rows_;
    }
  }

 private:
  const char* at_;
  ptrdiff_t to_next_row_;
  size_t in_row_, in_each_row_, rows_, in_share_;
};

template <>
class ResultLines<false> {
 public:
  ResultLines(const GemmU8S8Args*, size_t, size_t, size_t) {}
  void ask_for_share() {}
};

}  // namespace
}  // namespace qgemm
