// matmul_quantized against its definition: rows of a and columns of b quantized by the oracle, products summed in
// int32.
#include "core/matmul_quantized.h"

#include <cmath>
#include <vector>

#include "core/reference.h"
#include "core/thread_pool.h"
#include "test/harness.h"
#include "test/kernel_checks.h"

namespace qgemm {
namespace test {
namespace {

struct Quantized {
  std::vector<uint8_t> codes;
  float scale;
  int32_t zero_point;
};

Quantized quantize(const std::vector<float>& x, RowRange range) {
  Quantized result{std::vector<uint8_t>(x.size()), 0, 0};
  QuantizeRowArgs args{};
  args.x = x.data();
  args.k = args.padded_k = x.size();
  args.range = range;
  args.q = result.codes.data();
  reference::quantize_row(&args);
  result.scale = args.scale;
  result.zero_point = args.zero_point;
  return result;
}

struct Operands {
  BatchedShape shape;
  std::vector<float> a, b;

  Operands(const BatchedShape& shape, Random* random)
      : shape(shape), a(shape.batch * shape.m * shape.k), b(shape.batch * shape.n * shape.k) {
    for (float& x : a) x = value(random);
    for (float& x : b) x = value(random);
  }
  static float value(Random* random) {
    constexpr float kSpecials[] = {NAN, INFINITY, -INFINITY, -0.0f, 1e-40f};
    return random->chance(300) ? kSpecials[random->bits() % std::size(kSpecials)] : random->real(-2.0f, 1.0f);
  }

  std::vector<float> expected(float scale) const {
    const auto& [batch, m, n, k, transpose_b] = shape;
    std::vector<float> c(batch * m * n);
    for (size_t item = 0; item < batch; ++item) {
      std::vector<Quantized> rows, columns;
      for (size_t i = 0; i < m; ++i) {
        const auto row = a.begin() + static_cast<ptrdiff_t>((item * m + i) * k);
        rows.push_back(quantize({row, row + static_cast<ptrdiff_t>(k)}, RowRange::asymmetric));
      }
      for (size_t j = 0; j < n; ++j) {
        std::vector<float> column(k);
        for (size_t l = 0; l < k; ++l) column[l] = b[item * n * k + (transpose_b ? j * k + l : l * n + j)];
        columns.push_back(quantize(column, RowRange::symmetric));
      }
      for (size_t i = 0; i < m * n; ++i) {
        const Quantized &row = rows[i / n], &column = columns[i % n];
        int32_t sum = 0;
        for (size_t l = 0; l < k; ++l) {
          sum += (static_cast<int32_t>(row.codes[l]) - row.zero_point) * (static_cast<int32_t>(column.codes[l]) - 128);
        }
        c[item * m * n + i] = std::fma(static_cast<float>(sum), row.scale * (column.scale * scale), 0.0f);
      }
    }
    return c;
  }
};

void check(const Operands& x, float scale) {
  const auto& s = x.shape;
  std::vector<float> c(s.batch * s.m * s.n, NAN);
  const Status status = matmul_quantized(x.a.data(), x.b.data(), s, scale, c.data(), nullptr);
  EXPECT(status == Status::ok, "status %d", static_cast<int>(status));
  const std::vector<float> expected = x.expected(scale);
  for (size_t i = 0; i < c.size(); ++i) {
    EXPECT(same(c[i], expected[i]), "batch=%zu m=%zu n=%zu k=%zu transposed=%d: c[%zu] is %.9g, oracle %.9g", s.batch,
           s.m, s.n, s.k, s.transpose_b, i, c[i], expected[i]);
    if (!same(c[i], expected[i])) return;
  }
}

QGEMM_TEST(small_shapes) {
  Random random;
  for (const bool transpose_b : {false, true}) {
    for (size_t m = 0; m <= 9; ++m) {
      for (const size_t n : {0, 1, 7, 31, 32, 33, 65}) {
        for (const size_t k : {0, 1, 3, 4, 5, 32, 63, 64, 65, 130}) {
          check(Operands({1 + m % 3, m, n, k, transpose_b}, &random), random.real(-2.0f, 2.0f));
        }
      }
    }
  }
}

QGEMM_TEST(shapes_of_attention_on_any_number_of_threads) {
  Random random(1);
  for (const BatchedShape& shape : {BatchedShape{12, 70, 70, 64, true}, BatchedShape{12, 70, 64, 70, false},
                                    BatchedShape{1, 300, 500, 96, true}, BatchedShape{3, 130, 200, 1100, false}}) {
    const Operands x(shape, &random);
    for (const size_t threads : {1, 2, 5}) {
      ThreadPool::instance().set_num_threads(threads);
      check(x, 0.125f);
    }
  }
}

QGEMM_TEST(the_result_may_lie_over_the_operands) {
  Random random(2);
  for (const size_t shift : {0, 5, 4096}) {
    const Operands x({8, 64, 64, 64, true}, &random);
    const size_t size = x.a.size();
    std::vector<float> memory(2 * size + shift);
    std::copy(x.a.begin(), x.a.end(), memory.begin());
    std::copy(x.b.begin(), x.b.end(), memory.begin() + static_cast<ptrdiff_t>(size));
    float* c = memory.data() + shift;
    EXPECT(matmul_quantized(memory.data(), memory.data() + size, x.shape, 1.0f, c, nullptr) == Status::ok, "failed");
    const std::vector<float> expected = x.expected(1.0f);
    for (size_t i = 0; i < size; ++i) EXPECT(same(c[i], expected[i]), "shift=%zu: c[%zu] is %.9g", shift, i, c[i]);
  }
}

QGEMM_TEST(a_cancelled_call_says_so) {
  Random random(3);
  const Operands x({8, 64, 64, 64, false}, &random);
  std::vector<float> c(8 * 64 * 64);
  const std::atomic<bool> cancelled{true};
  EXPECT(matmul_quantized(x.a.data(), x.b.data(), x.shape, 1.0f, c.data(), &cancelled) == Status::cancelled,
         "the call was not cancelled");
}

}  // namespace
}  // namespace test
}  // namespace qgemm
