#include <cfloat>
#include <vector>

#include "core/reference.h"
#include "test/guarded.h"
#include "test/kernel_checks.h"

namespace qgemm {
namespace test {
namespace {

constexpr size_t kMaxRows = 5, kMaxColumns = 70, kGap = 3;
constexpr size_t kMaxCount = kMaxRows * (kMaxColumns + kGap);

// Calls check(shape, values of one array, parameters of one array) for every small rectangle.
template <typename Check>
void each_shape(const Check& check) {
  Random random(7);
  for (size_t rows = 1; rows <= kMaxRows; ++rows) {
    for (size_t columns = 1; columns <= kMaxColumns; ++columns) {
      if (slow_cpu() && !random.chance(4)) continue;
      for (const bool per_column : {false, true}) {
        const Rectangle shape{rows, columns, columns + (columns % 2 == 0 ? kGap : 0), per_column};
        check(shape, (rows - 1) * shape.ld + columns, per_column ? columns : 1);
      }
    }
  }
}

void draw(float* x, size_t count, Random* random) {
  constexpr float kSpecials[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e-40f, FLT_MAX, -FLT_MAX, 0.5f, -1.5f};
  const bool specials = random->chance(2);
  for (size_t i = 0; i < count; ++i) {
    x[i] = random->real(-300.0f, 300.0f);
    if (specials && random->chance(9)) x[i] = kSpecials[random->bits() % std::size(kSpecials)];
  }
}

}  // namespace

void check_minmax(const Kernel<MinMaxFn>& kernel) {
  Guarded<float> x(kMaxCount), lo(kMaxColumns), hi(kMaxColumns);
  Random random(8);
  each_shape([&](const Rectangle& shape, size_t count, size_t parameters) {
    float* values = x.take(count);
    draw(values, count, &random);
    MinMaxArgs args{shape, values, lo.take(parameters), hi.take(parameters), false};
    for (size_t i = 0; i < parameters; ++i) {
      args.lo[i] = random.chance(2) ? 0.0f : random.real(-200.0f, 0.0f);
      args.hi[i] = random.chance(2) ? 0.0f : random.real(0.0f, 200.0f);
    }
    std::vector<float> oracle_lo(args.lo, args.lo + parameters), oracle_hi(args.hi, args.hi + parameters);
    MinMaxArgs oracle = args;
    oracle.lo = oracle_lo.data();
    oracle.hi = oracle_hi.data();
    kernel.run(&args);
    reference::minmax(&oracle);
    bool equal = args.non_finite == oracle.non_finite && lo.intact() && hi.intact();
    for (size_t i = 0; i < parameters; ++i) equal &= args.lo[i] == oracle.lo[i] && args.hi[i] == oracle.hi[i];
    EXPECT(equal, "%s rows=%zu columns=%zu per_column=%d differs from the oracle", kernel.name, shape.rows,
           shape.columns, shape.per_column);
  });
}

void check_quantize(const Kernel<QuantizeFn>& kernel) {
  Guarded<float> x(kMaxCount), factor(kMaxColumns), lowest(kMaxColumns), highest(kMaxColumns);
  Guarded<int32_t> zero_point(kMaxColumns);
  Guarded<uint8_t> q(kMaxCount);
  Random random(9);
  each_shape([&](const Rectangle& shape, size_t count, size_t parameters) {
    float *values = x.take(count), *f = factor.take(parameters), *lo = lowest.take(parameters),
          *hi = highest.take(parameters);
    int32_t* zero = zero_point.take(parameters);
    draw(values, count, &random);
    const bool divide = random.chance(2), is_signed = random.chance(2);
    for (size_t i = 0; i < parameters; ++i) {
      f[i] = random.chance(3) ? 1.0f : random.real(0.3f, 3.0f);  // 1: ties come out as ties
      const int32_t qmin = is_signed ? -128 : 0;
      zero[i] = static_cast<int32_t>(random.integer(qmin, qmin + 255));
      lo[i] = static_cast<float>(qmin - zero[i]);
      hi[i] = static_cast<float>(qmin + 255 - zero[i]);
    }
    QuantizeArgs args{shape, values, q.take(count), divide, f, lo, hi, zero};
    std::memset(args.q, 0x5a, count);
    std::vector<uint8_t> expected(count, 0x5a);
    QuantizeArgs oracle = args;
    oracle.q = expected.data();
    kernel.run(&args);
    reference::quantize(oracle);
    const bool equal = std::memcmp(args.q, expected.data(), count) == 0 && q.intact();
    EXPECT(equal, "%s rows=%zu columns=%zu per_column=%d divide=%d differs from the oracle", kernel.name, shape.rows,
           shape.columns, shape.per_column, divide);
  });
}

void check_dequantize(const Kernel<DequantizeFn>& kernel) {
  Guarded<uint8_t> q(kMaxCount);
  Guarded<float> x(kMaxCount), scale(kMaxColumns);
  Guarded<int32_t> zero_point(kMaxColumns);
  Random random(10);
  each_shape([&](const Rectangle& shape, size_t count, size_t parameters) {
    uint8_t* codes = q.take(count);
    for (size_t i = 0; i < count; ++i) codes[i] = static_cast<uint8_t>(random.bits());
    float* s = scale.take(parameters);
    int32_t* zero = zero_point.take(parameters);
    for (size_t i = 0; i < parameters; ++i) {
      s[i] = random.real(1e-3f, 2.0f);
      zero[i] = static_cast<int32_t>(random.integer(0, 255));
    }
    const DequantizeArgs args{shape, codes, static_cast<uint8_t>(random.chance(2) ? 0x80 : 0), x.take(count), s, zero};
    std::vector<float> expected(count, -777.0f);
    for (size_t i = 0; i < count; ++i) args.x[i] = -777.0f;
    DequantizeArgs oracle = args;
    oracle.x = expected.data();
    kernel.run(&args);
    reference::dequantize(oracle);
    const bool equal = std::memcmp(args.x, expected.data(), count * sizeof(float)) == 0 && x.intact();
    EXPECT(equal, "%s rows=%zu columns=%zu per_column=%d differs from the oracle", kernel.name, shape.rows,
           shape.columns, shape.per_column);
  });
}

}  // namespace test
}  // namespace qgemm
