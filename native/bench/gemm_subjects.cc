// GEMM kernels: one row of register tiles over all of N, weights as PackedWeights holds them, from L2 and from far.
#include <algorithm>
#include <cstring>
#include <map>
#include <new>
#include <tuple>

#include "bench/peak.h"
#include "bench/subject.h"
#include "bench/values.h"
#include "core/cpu.h"
#include "core/dispatch.h"
#include "core/prepared_rows.h"
#include "core/reference.h"

namespace qgemm {
namespace bench {
namespace {

// Weights of 64 KiB in int8 and 256 KiB in float32, which a level-2 cache holds; and 16 and 64 MiB, which none does.
const std::vector<Shape> kDefaults = {{0, 512, 128}, {0, 4096, 4096}};

WeightsPtr make_weights(Scheme scheme, size_t n, size_t k) {
  static std::map<std::tuple<Scheme, size_t, size_t>, WeightsPtr> made;
  WeightsPtr& weights = made[{scheme, n, k}];
  if (weights == nullptr) {
    const Array<float> w = normal_values(n * k, n + k);
    QuantizeWeightsOptions options;
    options.scheme = scheme;
    if (quantize_weights(w.data(), {k, 1}, n, k, options, false, &weights) != Status::ok) throw std::bad_alloc();
  }
  return weights;
}

struct Tile {
  size_t row, rows, column, columns;
};

// What the int8 and the float32 kernels share: tiles in the driver's order, and the comparison.
template <typename Args, typename Fn>
class GemmSubject : public Subject {
 public:
  GemmSubject(const Kernel<Fn>& line, Shape size, Scheme scheme, Precision precision)
      : line_(line), weights_(make_weights(scheme, size.n, size.k)), y_(rows_of(line, size) * size.n) {
    kernel = line.name;
    shape = {rows_of(line, size), size.k, size.n};
    rows_ = takes_blocks(line) ? shape.m : line.mr;
    columns_ = takes_blocks(line) ? shape.n : line.nr;
    instruction = peak_instruction(precision, line.isa);
    operations = 2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.k) * static_cast<double>(shape.n);
    bytes = static_cast<double>(weights_->panels_bytes());
    weights = weights_->panels;
  }

  void run() override {
    for (size_t column = 0; column < shape.n; column += columns_) {
      for (size_t row = 0; row < shape.m; row += rows_) run_tile(tile_at(row, column));
    }
  }

  bool check() override {
    std::fill(y_.data(), y_.data() + shape.m * shape.n, -1.0f);
    run();
    // The oracle is slow: at large sizes the first, a middle and the last column of tiles stand for all.
    const size_t tiles = (shape.n + columns_ - 1) / columns_;
    const bool all = operations < 1e8;
    Array<float> expected(shape.m * shape.n);
    for (size_t i = 0; i < tiles; ++i) {
      if (!all && i != 0 && i != tiles / 2 && i != tiles - 1) continue;
      for (size_t row = 0; row < shape.m; row += rows_) {
        const Tile tile = tile_at(row, i * columns_);
        Args args = arguments(tile);
        args.c = expected.data() + row * shape.n + tile.column;
        oracle(args);
        for (size_t r = row; r < row + tile.rows; ++r) {
          const size_t at = r * shape.n + tile.column;
          if (std::memcmp(&y_[at], &expected[at], tile.columns * sizeof(float)) != 0) return false;
        }
      }
    }
    return true;
  }

 protected:
  static size_t rows_of(const Kernel<Fn>& line, Shape size) { return size.m == 0 ? line.mr : size.m; }
  virtual Args arguments(const Tile& tile) const = 0;
  virtual void oracle(const Args& args) const = 0;

  const Kernel<Fn>& line_;
  size_t rows_ = 0, columns_ = 0;  // of one call: a register tile, or all for kernels that take blocks
  const WeightsPtr weights_;
  const Array<float> y_;

 private:
  Tile tile_at(size_t row, size_t column) const {
    return {row, std::min(rows_, shape.m - row), column, std::min(columns_, shape.n - column)};
  }
  void run_tile(const Tile& tile) {
    const Args args = arguments(tile);
    line_.run(&args);
  }
};

class Int8Subject final : public GemmSubject<GemmU8S8Args, GemmU8S8Fn> {
 public:
  Int8Subject(const Kernel<GemmU8S8Fn>& line, Shape size)
      : GemmSubject(line, size, Scheme::int8, Precision::int8),
        lda_(code_row_stride(size.k)),
        a_(shape.m * lda_),
        scales_(shape.m),
        zero_points_(shape.m) {
    // Normally distributed activations whose largest lie some four deviations out.
    Values values(shape.m);
    for (size_t i = 0; i < shape.m; ++i) {
      for (size_t k = 0; k < lda_; ++k) {
        const float code = std::clamp(values.normal() * 32 + 117, 0.0f, 255.0f);
        a_[i * lda_ + k] = k < shape.k ? static_cast<uint8_t>(code) : 0;
      }
      scales_[i] = 0.01f;
      zero_points_[i] = 117;
    }
    // The second time it has looked, if that pays.
    weights_->large_pairs.get(*weights_);
    large_pairs_ = weights_->large_pairs.get(*weights_);
  }

 private:
  GemmU8S8Args arguments(const Tile& tile) const override {
    GemmU8S8Args args = {};
    args.m = tile.rows;
    args.n = tile.columns;
    args.k = kernel_depth(line_, shape.k);
    args.a = a_.data() + tile.row * lda_;
    args.lda = lda_;
    args.b = static_cast<const int8_t*>(weights_->panels) + tile.column / kPanelColumns * weights_->panel_stride() +
             tile.column % kPanelColumns * 4;
    args.panel_stride = weights_->panel_stride();
    args.large_pairs = large_pairs_;
    args.panel = tile.column / kPanelColumns;
    args.c = y_.data() + tile.row * shape.n + tile.column;
    args.ldc = shape.n;
    args.a_scales = scales_.data() + tile.row;
    args.a_zero_points = zero_points_.data() + tile.row;
    args.b_scales = weights_->scales + tile.column;
    args.b_column_sums = weights_->column_sums + tile.column;
    args.whole_lines = stores_across_lines_are_slow();
    args.one_stream = one_stream_is_enough();
    args.scratch = scratch_for(line_);
    args.logical_k = static_cast<uint32_t>(shape.k);
    return args;
  }
  void oracle(const GemmU8S8Args& args) const override { reference::gemm_u8s8(args); }

  const size_t lda_;
  const Array<uint8_t> a_;
  const Array<float> scales_;
  const Array<int32_t> zero_points_;
  const LargePairs* large_pairs_ = nullptr;
};

class Float32Subject final : public GemmSubject<GemmF32Args, GemmF32Fn> {
 public:
  Float32Subject(const Kernel<GemmF32Fn>& line, Shape size)
      : GemmSubject(line, size, Scheme::float32, Precision::float32),
        a_(normal_values(round_up(shape.m, line.mr) * shape.k, shape.m)) {}

 private:
  // Blocks of mr rows, [k, mr] each.
  GemmF32Args arguments(const Tile& tile) const override {
    GemmF32Args args = {};
    args.m = tile.rows;
    args.n = tile.columns;
    args.k = shape.k;
    args.a = a_.data() + tile.row * shape.k;
    args.lda = line_.mr;
    args.row_stride = 1;
    args.b = static_cast<const float*>(weights_->panels) + tile.column / kPanelColumns * weights_->panel_stride() +
             tile.column % kPanelColumns;
    args.panel_stride = weights_->panel_stride();
    args.c = y_.data() + tile.row * shape.n + tile.column;
    args.ldc = shape.n;
    return args;
  }
  void oracle(const GemmF32Args& args) const override { reference::gemm_f32(args); }

  const Array<float> a_;
};

template <typename SubjectType, typename Fn>
void add(const KernelList<Fn>& kernels, const Selection& selection, Subjects* subjects) {
  for (const Kernel<Fn>& line : kernels) {
    if (!selection.wants(line.name) || (line.features & ~cpu_features()) != 0) continue;
    for (const Shape& shape : selection.shapes.empty() ? kDefaults : selection.shapes) {
      subjects->push_back(std::make_unique<SubjectType>(line, shape));
    }
  }
}

}  // namespace

void add_gemm_subjects(const Selection& selection, Subjects* subjects) {
  add<Int8Subject>(gemm_u8s8f32_kernels(), selection, subjects);
  add<Float32Subject>(gemm_f32_kernels(), selection, subjects);
}

}  // namespace bench
}  // namespace qgemm
