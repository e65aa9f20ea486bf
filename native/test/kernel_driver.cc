#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/cpu.h"
#include "core/gemm.h"
#include "core/reference.h"
#include "test/driver_oracle.h"
#include "test/kernel_checks.h"

namespace qgemm {
namespace test {
namespace {

void force(const char* kernel) {
  DispatchConfig config;
  config.features = cpu_features();
  config.kernel = kernel;
  set_dispatch_config(config);
}

struct Shape {
  size_t m, n, k;
};

// m 1..mr+1, n 1..2nr+1, k 1..4kr+1, all of them where that makes no more than kOutputs outputs, the oracle's work;
// else at random as many as do, but at least kShapes. Then shapes with several blocks and ragged ends.
constexpr size_t kOutputs = 1500000, kShapes = 500;

template <typename Fn, typename Check>
void sweep(const Kernel<Fn>& kernel, const Check& check) {
  Random random(4);
  const size_t shapes = (kernel.mr + 1) * (2 * kernel.nr + 1) * (4 * kernel.kr + 1);
  const size_t outputs = shapes * (kernel.mr + 1) / 2 * kernel.nr;
  const int one_of = static_cast<int>(std::max<size_t>(std::min(outputs / kOutputs, shapes / kShapes), 1));
  for (size_t m = 1; m <= kernel.mr + 1; ++m) {
    for (size_t n = 1; n <= 2 * kernel.nr + 1; ++n) {
      for (size_t k = 1; k <= 4 * kernel.kr + 1; ++k) {
        if (!random.chance(slow_cpu() ? 16 * one_of : one_of)) continue;
        check(Shape{m, n, k});
      }
    }
  }
  for (const Shape& shape : {Shape{kernel.mr * 3 + 1, kernel.nr * 3 - 1, 129}, Shape{1, 333, 1000}, Shape{70, 97, 257},
                             Shape{kernel.mr * 2, kernel.nr * 2, 1024}, Shape{3, 1030, 63}, Shape{200, 40, 65}}) {
    check(shape);
  }
}

void compare(const char* kernel, const Shape& s, const DriverCase& c) {
  std::vector<float> y(s.m * s.n);
  const Status status = linear_forward(*c.weights, c.x.data(), s.m, false, c.epilogue(), y.data());
  EXPECT(status == Status::ok, "%s m=%zu n=%zu k=%zu: status %d", kernel, s.m, s.n, s.k, static_cast<int>(status));
  const size_t bad = c.first_difference(y);
  EXPECT(bad == y.size(), "%s m=%zu n=%zu k=%zu: y[%zu, %zu] is %.9g, not what the oracle gives", kernel, s.m, s.n, s.k,
         bad / s.n, bad % s.n, y[bad]);
}

// Float32 rows that linear_forward reads where they lie, packed, as asynchronous calls have them.
void compare_packed(const char* kernel, const Shape& s, const DriverCase& c) {
  PreparedRows rows;
  std::vector<float> y(s.m * s.n);
  const bool prepared = prepare_rows(dynamic_input(*c.weights), c.input(), s.m, false, true, &rows) == Status::ok;
  EXPECT(prepared && gemm(*c.weights, rows, c.epilogue(), y.data(), nullptr) == Status::ok, "%s: failed", kernel);
  const size_t bad = c.first_difference(y);
  EXPECT(bad == y.size(), "%s m=%zu n=%zu k=%zu, packed: y[%zu, %zu] is %.9g, not what the oracle gives", kernel, s.m,
         s.n, s.k, bad / s.n, bad % s.n, y[bad]);
}

// Column sums as large as they get, and K where kernels take another way for them.
void check_deep_columns(const char* kernel, Random* random) {
  if (slow_cpu()) return;  // a hundred million products
  for (const size_t k : {32768, 32769}) {
    const Shape s = {12, 128, k};
    std::vector<int8_t> codes(s.n * k);
    for (size_t i = 0; i < codes.size(); ++i) codes[i] = i / k % 2 == 0 ? -128 : 127;
    const std::vector<float> scales(s.n, 0.01f);
    DriverCase c = DriverCase::int8(s.m, 1, k, false, RowRange::asymmetric, random);
    c.weights = pack_int8(codes.data(), false, WeightLayout{k, 1}, s.n, k, scales.data(), nullptr,
                          Granularity::per_channel, RowRange::asymmetric);
    c.bias.clear();
    c.residual.clear();
    c.activation = Activation::none;
    compare(kernel, s, c);
  }
}

}  // namespace

void check_driver_u8s8(const Kernel<GemmU8S8Fn>& kernel) {
  force(kernel.name);
  Random random(5);
  sweep(kernel, [&](const Shape& s) {
    const bool asymmetric_weights = random.chance(3);
    const RowRange range = random.chance(2) ? RowRange::asymmetric : RowRange::symmetric;
    compare(kernel.name, s, DriverCase::int8(s.m, s.n, s.k, asymmetric_weights, range, &random));
  });
  check_deep_columns(kernel.name, &random);
}

void check_driver_f32(const Kernel<GemmF32Fn>& kernel) {
  force(kernel.name);
  Random random(6);
  sweep(kernel, [&](const Shape& s) {
    const DriverCase c = DriverCase::float32(s.m, s.n, s.k, &random);
    compare(kernel.name, s, c);
    compare_packed(kernel.name, s, c);
  });
}

}  // namespace test
}  // namespace qgemm
