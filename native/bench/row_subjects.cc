// Kernels that quantize, dequantize and pack, over a float32 matrix of m rows and k columns: from L2 and from far.
#include <algorithm>
#include <cstring>

#include "bench/subject.h"
#include "bench/values.h"
#include "core/cpu.h"
#include "core/dispatch.h"
#include "core/prepared_rows.h"
#include "core/reference.h"

namespace qgemm {
namespace bench {
namespace {

// 128 KiB and 32 MiB of float32.
const std::vector<Shape> kDefaults = {{32, 1024, 0}, {2048, 4096, 0}};

/// A matrix and what a kernel makes of it: `Op` says how one piece is done, by a kernel or by the oracle, and how many
/// bytes an element costs.
template <typename Op>
class RowSubject final : public Subject {
 public:
  RowSubject(const Kernel<typename Op::Fn>& line, Shape size)
      : line_(line), actual_(size.m, size.k), expected_(size.m, size.k) {
    kernel = line.name;
    shape = {size.m, size.k, 0};
    bytes = static_cast<double>(size.m * size.k) * Op::kBytesPerElement;
  }
  void run() override { actual_.each(line_.run); }
  bool check() override {
    run();
    expected_.each(Op::oracle);
    return actual_ == expected_;
  }

 private:
  const Kernel<typename Op::Fn>& line_;
  Op actual_, expected_;
};

// Inputs, parameters and results that the operations share.
struct Matrix {
  Matrix(size_t rows, size_t columns)
      : m(rows), k(columns), x(normal_values(m * k, m)), codes(m * round_up(k, kPaddedK)), y(results()) {
    Values values(k);
    for (size_t i = 0; i < m * round_up(k, kPaddedK); ++i) codes[i] = static_cast<uint8_t>(values.bits());
    std::fill(y.data(), y.data() + results(), 0.0f);
  }
  bool operator==(const Matrix& other) const {
    return std::memcmp(codes.data(), other.codes.data(), m * round_up(k, kPaddedK)) == 0 &&
           std::memcmp(y.data(), other.y.data(), results() * sizeof(float)) == 0 && sum == other.sum;
  }
  size_t results() const { return round_up(m, kPaddedK) * k; }  // panels are padded
  const size_t m, k;
  Array<float> x;
  Array<uint8_t> codes;
  Array<float> y;
  double sum = 0;  // of scalars that kernels return
};

struct QuantizeRow : Matrix {
  using Matrix::Matrix;
  using Fn = QuantizeRowFn;
  static constexpr double kBytesPerElement = 5;
  static void oracle(QuantizeRowArgs* args) { reference::quantize_row(args); }
  void each(Fn run) {
    sum = 0;
    QuantizeRowArgs args = {};
    args.k = k;
    args.padded_k = round_up(k, kPaddedK);
    for (size_t i = 0; i < m; ++i) {
      args.x = x.data() + i * k;
      args.q = codes.data() + i * args.padded_k;
      look_ahead(m - i - 1, &args);
      run(&args);
      args.scanned = args.next != nullptr;
      sum += static_cast<double>(args.scale) + args.zero_point;
    }
  }
};

struct MinMax : Matrix {
  using Matrix::Matrix;
  using Fn = MinMaxFn;
  static constexpr double kBytesPerElement = 4;
  static void oracle(MinMaxArgs* args) { reference::minmax(args); }
  void each(Fn run) {
    sum = 0;
    for (size_t i = 0; i < m; ++i) {
      float lo = 0, hi = 0;
      MinMaxArgs args = {{1, k, k, false}, x.data() + i * k, &lo, &hi, false};
      run(&args);
      sum += static_cast<double>(hi) - static_cast<double>(lo);
    }
  }
};

struct QuantizeMatrix : Matrix {
  using Matrix::Matrix;
  using Fn = QuantizeFn;
  static constexpr double kBytesPerElement = 5;
  static void oracle(const QuantizeArgs* args) { reference::quantize(*args); }
  void each(Fn run) {
    const float factor = 40, lowest = -128, highest = 127;
    const int32_t zero_point = 0;
    const QuantizeArgs args = {{m, k, k, false}, x.data(), codes.data(), false,
                               &factor,          &lowest,  &highest,     &zero_point};
    run(&args);
  }
};

struct DequantizeMatrix : Matrix {
  using Matrix::Matrix;
  using Fn = DequantizeFn;
  static constexpr double kBytesPerElement = 5;
  static void oracle(const DequantizeArgs* args) { reference::dequantize(*args); }
  void each(Fn run) {
    const float scale = 0.025f;
    const int32_t zero_point = 128;
    const DequantizeArgs args = {{m, k, k, false}, codes.data(), 0x80, y.data(), &scale, &zero_point};
    run(&args);
  }
};

// Blocks of 32 rows; the panels go where y is.
struct PackRows : Matrix {
  using Matrix::Matrix;
  using Fn = PackRowsFn;
  static constexpr double kBytesPerElement = 2;
  static void oracle(const PackRowsArgs* args) { reference::pack_rows(*args); }
  void each(Fn run) {
    for (size_t i = 0; i + kPanelColumns <= m; i += kPanelColumns) {
      const PackRowsArgs args = {codes.data() + i * k, k, k / kPaddedK * kPaddedK,
                                 reinterpret_cast<int8_t*>(y.data()) + i * k};
      run(&args);
    }
  }
};

// x as weights stored [K, N]: K = m rows, panels of 32 columns, which go where y is.
struct QuantizeColumns : Matrix {
  using Matrix::Matrix;
  using Fn = QuantizeColumnsFn;
  static constexpr double kBytesPerElement = 5;
  static void oracle(const QuantizeColumnsArgs* args) { reference::quantize_columns(*args); }
  void each(Fn run) {
    float factors[kPanelColumns];
    int32_t sums[kPanelColumns];
    std::fill(factors, factors + kPanelColumns, 40.0f);
    const size_t padded_m = round_up(m, kPaddedK);
    sum = 0;
    for (size_t j = 0; j + kPanelColumns <= k; j += kPanelColumns) {
      int8_t* panel = reinterpret_cast<int8_t*>(y.data()) + j * padded_m;
      const QuantizeColumnsArgs args = {x.data() + j, k, m, padded_m, kPanelColumns, factors, panel, sums};
      run(&args);
      for (const int32_t value : sums) sum += value;
    }
  }
};

template <typename Op>
void add(const KernelList<typename Op::Fn>& kernels, const Selection& selection, Subjects* subjects) {
  for (const auto& line : kernels) {
    if (!selection.wants(line.name) || (line.features & ~cpu_features()) != 0) continue;
    for (Shape shape : selection.shapes.empty() ? kDefaults : selection.shapes) {
      if (shape.m == 0) shape.m = kPanelColumns;
      subjects->push_back(std::make_unique<RowSubject<Op>>(line, shape));
    }
  }
}

}  // namespace

void add_row_subjects(const Selection& selection, Subjects* subjects) {
  add<QuantizeRow>(quantize_row_kernels(), selection, subjects);
  add<MinMax>(minmax_kernels(), selection, subjects);
  add<QuantizeMatrix>(quantize_kernels(), selection, subjects);
  add<DequantizeMatrix>(dequantize_kernels(), selection, subjects);
  add<PackRows>(pack_rows_kernels(), selection, subjects);
  add<QuantizeColumns>(quantize_columns_kernels(), selection, subjects);
}

}  // namespace bench
}  // namespace qgemm
