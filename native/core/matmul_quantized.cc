#include "core/matmul_quantized.h"

#include <algorithm>
#include <cstring>

#include "core/cpu.h"
#include "core/dispatch.h"
#include "core/fp_env.h"
#include "core/prepared_rows.h"
#include "core/thread_pool.h"

namespace qgemm {
namespace {

// Scratch for this much of the batch at a time: what was packed is still in cache when it is multiplied.
constexpr size_t kChunkBytes = size_t{2} << 20;
// A task below this costs more to hand out than to do: elements quantized, and multiply-adds.
constexpr size_t kMinElements = size_t{1} << 14, kMinProducts = size_t{1} << 19;

size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

class Batch {
 public:
  Batch(const float* a, const float* b, const BatchedShape& shape, float scale, float* c)
      : a_(a), b_(b), shape_(shape), scale_(scale), c_(c), kernel_(choose_gemm_u8s8f32(dispatch_config(), shape.m)) {
    padded_k_ = round_up(shape.k, kPaddedK);
    lda_ = code_row_stride(shape.k);
    panels_ = divide_up(shape.n, kPanelColumns);
    panel_bytes_ = padded_k_ * kPanelColumns;
    rows_per_piece_ = std::max<size_t>(kMinElements / std::max<size_t>(shape.k, 1), 1);
    panels_per_piece_ = std::max<size_t>(rows_per_piece_ / kPanelColumns, 1);
    row_pieces_ = divide_up(shape.m, rows_per_piece_);
    panel_pieces_ = divide_up(panels_, panels_per_piece_);
    const size_t products_per_row = std::max<size_t>(shape.n * shape.k, 1);
    const size_t unit = takes_blocks(kernel_) ? row_shares(kernel_, shape.m, shape.k).least : kernel_.mr;
    block_rows_ = round_up(std::min(std::max<size_t>(kMinProducts / products_per_row, 1), shape.m), unit);
    blocks_ = divide_up(shape.m, block_rows_);
    small_ = shape.batch * shape.m <= kMinProducts / products_per_row;
  }

  Status run(const std::atomic<bool>* cancel) {
    size_t item_bytes;
    if (!item_size(&item_bytes)) return Status::out_of_memory;
    const size_t chunk = std::min(std::max<size_t>(kChunkBytes / item_bytes, 1), shape_.batch);
    if (!memory_.allocate(chunk * item_bytes)) return Status::out_of_memory;
    for (first_ = 0; first_ < shape_.batch; first_ += chunk) {
      const size_t items = std::min(chunk, shape_.batch - first_);
      if (!run_tasks<&Batch::prepare>(items * (row_pieces_ + panel_pieces_), cancel)) return Status::cancelled;
      if (!run_tasks<&Batch::multiply>(items * blocks_, cancel)) return Status::cancelled;
    }
    return Status::ok;
  }

 private:
  // Arrays of one item of the chunk.
  struct Item {
    uint8_t* q;        // [m, lda]
    int8_t* panels;    // [panels, padded K / 4, 32, 4]
    uint8_t* staging;  // [panel_pieces, 32, lda], with transpose_b
    float* a_scales;   // [m]
    int32_t* a_zeros;  // [m]
    float* b_scales;   // [panels * 32]
    int32_t* b_sums;   // [panels * 32]
  };

  // Each array begins at a multiple of 64 bytes. False when the sizes do not fit size_t.
  bool item_size(size_t* bytes) {
    const size_t staged = shape_.transpose_b ? panel_pieces_ * kPanelColumns : 0;
    size_t q, panels, staging;
    if (!checked_multiply(shape_.m, lda_, &q) || !checked_multiply(panels_, panel_bytes_, &panels) ||
        !checked_multiply(staged, lda_, &staging)) {
      return false;
    }
    const size_t sizes[] = {q,
                            panels,
                            staging,
                            shape_.m * sizeof(float),
                            shape_.m * sizeof(int32_t),
                            panels_ * kPanelColumns * sizeof(float),
                            panels_ * kPanelColumns * sizeof(int32_t)};
    size_t sum = 0;
    for (size_t i = 0; i < std::size(sizes); ++i) {
      offsets_[i] = sum;
      if (sizes[i] > SIZE_MAX / 16 || sum > SIZE_MAX / 2) return false;
      sum += round_up(sizes[i], 64);
    }
    *bytes = item_bytes_ = std::max<size_t>(sum, 64);
    return true;
  }

  Item item(size_t index) const {
    uint8_t* base = memory_.as<uint8_t>() + index * item_bytes_;
    return {base + offsets_[0],
            reinterpret_cast<int8_t*>(base + offsets_[1]),
            base + offsets_[2],
            reinterpret_cast<float*>(base + offsets_[3]),
            reinterpret_cast<int32_t*>(base + offsets_[4]),
            reinterpret_cast<float*>(base + offsets_[5]),
            reinterpret_cast<int32_t*>(base + offsets_[6])};
  }

  template <void (Batch::*kTask)(size_t)>
  bool run_tasks(size_t count, const std::atomic<bool>* cancel) {
    if (count == 0) return true;
    if (small_) {
      for (size_t task = 0; task < count; ++task) (this->*kTask)(task);
      return true;
    }
    return ThreadPool::instance().parallel_for(
        count, [](void* batch, size_t task) { (static_cast<Batch*>(batch)->*kTask)(task); }, this, cancel);
  }

  void prepare(size_t task) {
    const size_t pieces = row_pieces_ + panel_pieces_;
    const size_t index = task / pieces, piece = task % pieces;
    const Item out = item(index);
    if (piece < row_pieces_) return quantize_rows(index, piece, out);
    const size_t first = (piece - row_pieces_) * panels_per_piece_;
    const float* b = b_ + (first_ + index) * shape_.n * shape_.k;
    for (size_t panel = first; panel < std::min(first + panels_per_piece_, panels_); ++panel) {
      if (shape_.transpose_b) {
        pack_transposed(b, panel, out.staging + (piece - row_pieces_) * kPanelColumns * lda_, out);
      } else {
        pack_columns(b, panel, out);
      }
    }
  }

  void quantize_rows(size_t index, size_t piece, const Item& out) {
    const size_t k = shape_.k;
    const QuantizeRowFn run = choose_quantize_row(dispatch_config()).run;
    const size_t end = std::min((piece + 1) * rows_per_piece_, shape_.m);
    QuantizeRowArgs args = {};
    args.k = k;
    args.padded_k = padded_k_;
    for (size_t row = piece * rows_per_piece_; row < end; ++row) {
      args.x = a_ + ((first_ + index) * shape_.m + row) * k;
      args.q = out.q + row * lda_;
      look_ahead(end - row - 1, &args);
      run(&args);
      args.scanned = args.next != nullptr;
      out.a_scales[row] = args.scale;
      out.a_zeros[row] = args.zero_point;
    }
  }

  // Rows of b are columns of the product: quantized as rows, then transposed into the panel.
  void pack_transposed(const float* b, size_t panel, uint8_t* rows, const Item& out) {
    constexpr uint8_t kZero = 128;  // the code of 0
    const size_t k = shape_.k;
    const size_t columns = std::min<size_t>(kPanelColumns, shape_.n - panel * kPanelColumns);
    const QuantizeRowFn run = choose_quantize_row(dispatch_config()).run;
    for (size_t j = 0; j < kPanelColumns; ++j) {
      uint8_t* row = rows + j * lda_;
      const size_t column = panel * kPanelColumns + j;
      QuantizeRowArgs args = {};
      if (j < columns) {
        args.x = b + column * k;
        args.k = args.padded_k = k;
        args.range = RowRange::symmetric;
        args.want_row_sum = true;
        args.q = row;
        run(&args);
      }
      std::memset(row + args.k, kZero, padded_k_ - args.k);
      out.b_scales[column] = args.scale * scale_;
      out.b_sums[column] = args.row_sum - static_cast<int32_t>(kZero * args.k);
    }
    const PackRowsArgs args = {rows, lda_, padded_k_, out.panels + panel * panel_bytes_};
    choose_pack_rows(dispatch_config()).run(&args);
  }

  void pack_columns(const float* b, size_t panel, const Item& out) {
    const size_t first = panel * kPanelColumns;
    const size_t columns = std::min<size_t>(kPanelColumns, shape_.n - first);
    float lo[kPanelColumns] = {0}, hi[kPanelColumns] = {0}, factors[kPanelColumns] = {0};
    if (shape_.k > 0) {
      MinMaxArgs range = {{shape_.k, columns, shape_.n, true}, b + first, lo, hi, false};
      choose_minmax(dispatch_config()).run(&range);
    }
    for (size_t j = 0; j < kPanelColumns; ++j) {
      const float column_scale = std::max(std::max(hi[j], -lo[j]) / 127.0f, kMinScale);
      factors[j] = 1.0f / column_scale;
      out.b_scales[first + j] = column_scale * scale_;
    }
    const QuantizeColumnsArgs args = {
        b + first,         shape_.n, shape_.k, padded_k_, columns, factors, out.panels + panel * panel_bytes_,
        out.b_sums + first};
    choose_quantize_columns(dispatch_config()).run(&args);
  }

  // One block of rows against all columns: every panel meets all rows while it is in cache.
  void multiply(size_t task) {
    const size_t index = task / blocks_, row0 = task % blocks_ * block_rows_;
    const size_t row1 = std::min(row0 + block_rows_, shape_.m);
    const Item in = item(index);
    GemmU8S8Args args = {};
    args.k = kernel_depth(kernel_, shape_.k);
    args.lda = lda_;
    args.panel_stride = panel_bytes_;
    args.ldc = shape_.n;
    args.whole_lines = stores_across_lines_are_slow();
    args.logical_k = static_cast<uint32_t>(shape_.k);
    args.scratch = scratch_for(kernel_);
    float* c = c_ + (first_ + index) * shape_.m * shape_.n;
    const bool all_columns = takes_blocks(kernel_) || (takes_many_columns(kernel_) && row1 - row0 <= kernel_.mr);
    const size_t columns = all_columns ? shape_.n : kernel_.nr;
    const size_t rows = takes_blocks(kernel_) ? block_rows_ : kernel_.mr;
    for (size_t column = 0; column < shape_.n; column += columns) {
      args.n = std::min(columns, shape_.n - column);
      args.b = in.panels + column / kPanelColumns * panel_bytes_ + column % kPanelColumns * 4;
      args.b_scales = in.b_scales + column;
      args.b_column_sums = in.b_sums + column;
      for (size_t row = row0; row < row1; row += rows) {
        args.m = std::min(rows, row1 - row);
        args.a = in.q + row * lda_;
        args.a_scales = in.a_scales + row;
        args.a_zero_points = in.a_zeros + row;
        args.c = c + row * shape_.n + column;
        kernel_.run(&args);
      }
    }
  }

  static constexpr float kMinScale = 1.17549435082228750797e-38f;  // 2^-126

  const float* a_;
  const float* b_;
  const BatchedShape shape_;
  const float scale_;
  float* c_;
  const Kernel<GemmU8S8Fn>& kernel_;
  size_t padded_k_, lda_, panels_, panel_bytes_;
  size_t rows_per_piece_, panels_per_piece_, row_pieces_, panel_pieces_;
  size_t block_rows_, blocks_;
  bool small_;  // not worth a second thread
  size_t offsets_[7] = {0}, item_bytes_ = 0;
  size_t first_ = 0;  // item of the batch that the chunk begins with
  AlignedBuffer memory_;
};

// A result that is written where operands are still to be read gets a copy of them.
bool move_out_of_the_way(const float** operand, size_t count, const float* c, size_t c_count, AlignedBuffer* copy) {
  if (*operand >= c + c_count || c >= *operand + count) return true;
  if (!copy->allocate(count * sizeof(float))) return false;
  std::memcpy(copy->as<float>(), *operand, count * sizeof(float));
  *operand = copy->as<float>();
  return true;
}

}  // namespace

Status matmul_quantized(const float* a, const float* b, const BatchedShape& shape, float scale, float* c,
                        const std::atomic<bool>* cancel) {
  if (shape.batch == 0 || shape.m == 0 || shape.n == 0) return Status::ok;
  const ScopedFpEnv fp_env;
  AlignedBuffer a_copy, b_copy;
  const size_t c_count = shape.batch * shape.m * shape.n;
  if (!move_out_of_the_way(&a, shape.batch * shape.m * shape.k, c, c_count, &a_copy) ||
      !move_out_of_the_way(&b, shape.batch * shape.k * shape.n, c, c_count, &b_copy)) {
    return Status::out_of_memory;
  }
  return Batch(a, b, shape, scale, c).run(cancel);
}

}  // namespace qgemm
