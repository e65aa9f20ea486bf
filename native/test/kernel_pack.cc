// Kernels that arrange activations as panels, against the oracle, every buffer at a guard page.
#include <vector>

#include "core/reference.h"
#include "test/guarded.h"
#include "test/kernel_checks.h"

namespace qgemm {
namespace test {
namespace {

constexpr size_t kMaxPadded = 4 * kPaddedK;
constexpr size_t kMaxStride = kMaxPadded + 64;

float any_value(Random* random) {
  constexpr float kSpecials[] = {NAN, INFINITY, -INFINITY, -0.0f, 3e38f, -3e38f, 1e-40f, 0.5f, 1.5f, -2.5f};
  if (random->chance(20)) return kSpecials[random->bits() % std::size(kSpecials)];
  return random->real(-140.0f, 140.0f);
}

}  // namespace

void check_pack_rows(const Kernel<PackRowsFn>& kernel) {
  Guarded<uint8_t> q(kPanelColumns * kMaxStride);
  Guarded<int8_t> panel(kPanelColumns * kMaxPadded);
  Random random(7);
  for (size_t k = 0; k <= kMaxPadded; k += kPaddedK) {
    for (const size_t extra : {0, 64}) {
      const size_t ld = k + extra, count = k == 0 ? 0 : (kPanelColumns - 1) * ld + k;
      uint8_t* codes = q.take(count);
      for (size_t i = 0; i < count; ++i) codes[i] = static_cast<uint8_t>(random.bits());
      std::vector<int8_t> expected(kPanelColumns * k);
      PackRowsArgs args = {codes, ld, k, panel.take(kPanelColumns * k)};
      kernel.run(&args);
      const int8_t* actual = args.panel;
      args.panel = expected.data();
      reference::pack_rows(args);
      EXPECT(panel.intact(), "%s wrote before its panel", kernel.name);
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT(actual[i] == expected[i], "%s k=%zu ld=%zu: byte %zu is %d, oracle %d", kernel.name, k, ld, i, actual[i],
               expected[i]);
      }
    }
  }
}

void check_quantize_columns(const Kernel<QuantizeColumnsFn>& kernel) {
  Guarded<float> x(kMaxPadded * (kPanelColumns + 3)), factors(kPanelColumns);
  Guarded<int8_t> panel(kPanelColumns * kMaxPadded);
  Guarded<int32_t> sums(kPanelColumns);
  Random random(8);
  for (size_t n = 1; n <= kPanelColumns; ++n) {
    for (const size_t k : {0, 1, 2, 3, 4, 5, 7, 63, 64, 65, 130, 256}) {
      if (slow_cpu() && !random.chance(4)) continue;
      const size_t ld = n + random.bits() % 4, padded_k = round_up(k, kPaddedK);
      const size_t count = k == 0 ? 0 : (k - 1) * ld + n;
      float* values = x.take(count);
      for (size_t i = 0; i < count; ++i) values[i] = any_value(&random);
      float* factor = factors.take(kPanelColumns);
      for (size_t j = 0; j < kPanelColumns; ++j) factor[j] = random.chance(3) ? 1.0f : random.real(0.1f, 2.0f);
      std::vector<int8_t> expected(kPanelColumns * padded_k);
      std::vector<int32_t> expected_sums(kPanelColumns);
      QuantizeColumnsArgs args = {
          values, ld, k, padded_k, n, factor, panel.take(kPanelColumns * padded_k), sums.take(kPanelColumns)};
      kernel.run(&args);
      QuantizeColumnsArgs oracle = args;
      oracle.panel = expected.data();
      oracle.column_sums = expected_sums.data();
      reference::quantize_columns(oracle);
      EXPECT(panel.intact() && sums.intact(), "%s wrote before its results", kernel.name);
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT(args.panel[i] == expected[i], "%s n=%zu k=%zu: byte %zu is %d, oracle %d", kernel.name, n, k, i,
               args.panel[i], expected[i]);
      }
      for (size_t j = 0; j < kPanelColumns; ++j) {
        EXPECT(args.column_sums[j] == expected_sums[j], "%s n=%zu k=%zu: sum %zu is %d, oracle %d", kernel.name, n, k,
               j, args.column_sums[j], expected_sums[j]);
      }
    }
  }
}

}  // namespace test
}  // namespace qgemm
