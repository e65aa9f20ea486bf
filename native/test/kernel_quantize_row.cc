#include <cfloat>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/reference.h"
#include "test/guarded.h"
#include "test/kernel_checks.h"

namespace qgemm {
namespace test {
namespace {

constexpr size_t kMaxK = 300;

// Kinds of rows: what a model gives, and what it should not.
enum Row {
  ordinary,
  positive,
  negative,
  zeros,
  constant,
  huge,
  denormal,
  ties,
  with_nan,
  with_infinities,
  only_nan,
  kRows
};

float value(Row row, Random& random) {
  switch (row) {
    case positive:
      return random.real(0.5f, 3.0f);
    case negative:
      return random.real(-3.0f, -0.5f);
    case zeros:
      return random.chance(2) ? 0.0f : -0.0f;
    case constant:
      return 3.0f;
    case huge:
      return random.chance(2) ? random.real(-1.0f, 1.0f) * FLT_MAX : (random.chance(2) ? FLT_MAX : -FLT_MAX);
    case denormal:
      return random.real(-1.0f, 1.0f) * 1e-39f;
    case ties:  // halves of the scale: with -127.5 and 127.5 in the row the asymmetric scale is exactly 1
      return static_cast<float>(random.integer(-255, 255)) * 0.5f;
    case with_nan:
      return random.chance(7) ? std::copysign(NAN, random.chance(2) ? 1.0f : -1.0f) : random.real(-2.0f, 1.0f);
    case with_infinities:
      return random.chance(7) ? (random.chance(2) ? INFINITY : -INFINITY) : random.real(-1.0f, 2.0f);
    case only_nan:
      return std::copysign(NAN, random.chance(2) ? 1.0f : -1.0f);
    default:
      return random.real(-2.0f, 1.0f);
  }
}

// What the kernel finds in a row that comes next, while it quantizes another one.
RowScan scan_before(const Kernel<QuantizeRowFn>& kernel, const float* next, size_t k, bool* scanned) {
  std::vector<float> before(k + 1, 1.0f);
  std::vector<uint8_t> q(round_up(k + 1, kPaddedK));
  QuantizeRowArgs args{};
  args.x = before.data();
  args.k = k;
  args.padded_k = round_up(k, kPaddedK);
  args.q = q.data();
  args.next = next;
  kernel.run(&args);
  *scanned = true;
  return args.scan;
}

}  // namespace

void check_quantize_row(const Kernel<QuantizeRowFn>& kernel) {
  Guarded<float> x(kMaxK);
  Guarded<uint8_t> q(round_up(kMaxK, kPaddedK));
  std::vector<uint8_t> expected(round_up(kMaxK, kPaddedK));
  Random random(3);
  for (size_t k = 0; k <= kMaxK; ++k) {
    if (slow_cpu() && k > 70 && k % 16 != 3) continue;
    for (int kind = 0; kind < kRows; ++kind) {
      for (int variant = 0; variant < 4; ++variant) {
        const RowRange range = variant % 2 == 0 ? RowRange::asymmetric : RowRange::symmetric;
        const float fixed_range[] = {-1.5f, 0.75f};
        QuantizeRowArgs args{};
        float* row = x.take(k);
        for (size_t i = 0; i < k; ++i) row[i] = value(static_cast<Row>(kind), random);
        if (kind == ties && k >= 2) {
          row[0] = -127.5f;
          row[k - 1] = 127.5f;
        }
        args.x = row;
        args.k = k;
        args.padded_k = round_up(k, kPaddedK);
        args.range = range;
        args.want_row_sum = k % 5 != 0;
        if (random.chance(2)) args.scan = scan_before(kernel, row, k, &args.scanned);
        if (variant >= 2) args.fixed_range = fixed_range;
        QuantizeRowArgs oracle = args;
        args.q = q.take(args.padded_k);
        oracle.q = expected.data();
        kernel.run(&args);
        reference::quantize_row(&oracle);
        const bool equal = same(args.scale, oracle.scale) && args.zero_point == oracle.zero_point &&
                           (!args.want_row_sum || args.row_sum == oracle.row_sum) &&
                           args.non_finite == oracle.non_finite && std::memcmp(args.q, oracle.q, args.padded_k) == 0 &&
                           q.intact();
        EXPECT(equal,
               "%s k=%zu row kind %d range %d: scale %.9g zero point %d sum %d, oracle %.9g %d %d (or the codes)",
               kernel.name, k, kind, static_cast<int>(range), args.scale, args.zero_point, args.row_sum, oracle.scale,
               oracle.zero_point, oracle.row_sum);
      }
    }
  }
}

}  // namespace test
}  // namespace qgemm
