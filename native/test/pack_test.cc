#include "core/pack.h"

#include <cmath>
#include <vector>

#include "core/reference.h"
#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

struct Size {
  size_t n, k;
};
constexpr Size kSizes[] = {{1, 1}, {3, 5}, {31, 63}, {32, 64}, {33, 65}, {40, 128}, {97, 300}};

int8_t panel_code(const PackedWeights& w, size_t n, size_t k) {
  const int8_t* panel = static_cast<const int8_t*>(w.panels) + n / 32 * w.panel_stride();
  return panel[k / 4 * 128 + n % 32 * 4 + k % 4];
}

QGEMM_TEST(codes_lie_where_the_layout_says_and_the_rest_is_zero) {
  Random random;
  for (const Size size : kSizes) {
    for (const bool transposed : {false, true}) {
      for (const bool is_unsigned : {false, true}) {
        std::vector<uint8_t> codes(size.n * size.k);
        for (uint8_t& code : codes) code = static_cast<uint8_t>(random.bits());
        const WeightLayout layout = transposed ? WeightLayout{1, size.n} : WeightLayout{size.k, 1};
        std::vector<float> scales(size.n, 0.5f);
        std::vector<int32_t> zero_points(size.n, is_unsigned ? 130 : 2);
        const WeightsPtr w = pack_int8(codes.data(), is_unsigned, layout, size.n, size.k, scales.data(),
                                       zero_points.data(), Granularity::per_channel, RowRange::asymmetric);
        size_t wrong = 0;
        for (size_t n = 0; n < w->padded_n(); ++n) {
          int32_t sum = 0;
          for (size_t k = 0; k < w->padded_k(); ++k) {
            int32_t expected = 0;
            if (n < size.n && k < size.k) {
              const uint8_t code = codes[n * layout.row_stride + k * layout.column_stride];
              expected = is_unsigned ? code - 128 : static_cast<int8_t>(code);
            }
            wrong += panel_code(*w, n, k) != expected;
            sum += expected;
          }
          wrong += w->column_sums[n] != sum;
          wrong += n < size.n && w->zero_points[n] != 2;
          wrong += n < size.n && w->scales[n] != 0.5f;
        }
        EXPECT(wrong == 0, "n=%zu k=%zu transposed=%d unsigned=%d: %zu wrong values", size.n, size.k, transposed,
               is_unsigned, wrong);
        const bool aligned = reinterpret_cast<uintptr_t>(w->panels) % 64 == 0 &&
                             reinterpret_cast<uintptr_t>(w->scales) % 64 == 0 &&
                             reinterpret_cast<uintptr_t>(w->column_sums) % 64 == 0;
        EXPECT(aligned, "n=%zu k=%zu: arrays are not 64-byte aligned", size.n, size.k);
      }
    }
  }
}

QGEMM_TEST(float32_panels) {
  Random random;
  for (const Size size : kSizes) {
    std::vector<float> values(size.n * size.k), back(size.n * size.k);
    for (float& value : values) value = random.real(-1.0f, 1.0f);
    QuantizeWeightsOptions options;
    options.scheme = Scheme::float32;
    WeightsPtr w;
    const Status status = quantize_weights(values.data(), {1, size.n}, size.n, size.k, options, true, &w);
    EXPECT(status == Status::ok && w, "float32 n=%zu k=%zu: status %d", size.n, size.k, static_cast<int>(status));
    size_t wrong = 0;
    const float* panels = static_cast<const float*>(w->panels);
    for (size_t n = 0; n < w->padded_n(); ++n) {
      for (size_t k = 0; k < size.k; ++k) {
        const float expected = n < size.n ? values[n + k * size.n] : 0.0f;
        wrong += panels[n / 32 * w->panel_stride() + k * 32 + n % 32] != expected;
      }
    }
    unpack_float32(*w, back.data());
    for (size_t n = 0; n < size.n; ++n) {
      for (size_t k = 0; k < size.k; ++k) wrong += back[n * size.k + k] != values[n + k * size.n];
    }
    EXPECT(wrong == 0, "float32 n=%zu k=%zu: %zu wrong values", size.n, size.k, wrong);
  }
}

// The weight formulas of pack.h, by hand.
void expect_quantized(const PackedWeights& w, const std::vector<float>& values, Size size, bool per_channel,
                      bool symmetric) {
  for (size_t n = 0; n < size.n; ++n) {
    float lo = 0, hi = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      if (per_channel && i / size.k != n) continue;
      lo = std::fmin(lo, values[i]);
      hi = std::fmax(hi, values[i]);
    }
    const float scale = std::fmax(symmetric ? std::fmax(hi, -lo) / 127.0f : hi / 255.0f - lo / 255.0f, 0x1p-126f);
    const float inv = 1.0f / scale;
    const float zero_point = symmetric ? 0.0f : std::fmin(std::fmax(std::nearbyint(-lo * inv), 0.0f), 255.0f) - 128.0f;
    EXPECT(w.scales[n] == scale, "row %zu: scale %.9g, expected %.9g", n, w.scales[n], scale);
    const float actual_zero = w.zero_points == nullptr ? 0.0f : static_cast<float>(w.zero_points[n]);
    EXPECT(actual_zero == zero_point, "row %zu: zero point %g, expected %g", n, actual_zero, zero_point);
    for (size_t k = 0; k < size.k; ++k) {
      const float q = std::nearbyint(values[n * size.k + k] * inv) + zero_point;
      const float expected = std::fmin(std::fmax(q, symmetric ? -127.0f : -128.0f), 127.0f);
      EXPECT(panel_code(w, n, k) == expected, "row %zu column %zu: code %d, expected %g", n, k, panel_code(w, n, k),
             expected);
    }
  }
}

QGEMM_TEST(weights_are_quantized_by_the_formula) {
  Random random;
  for (const Size size : kSizes) {
    std::vector<float> values(size.n * size.k);
    for (float& value : values) value = random.real(-0.7f, 1.0f);
    for (const bool per_channel : {true, false}) {
      for (const bool symmetric : {true, false}) {
        QuantizeWeightsOptions options;
        options.granularity = per_channel ? Granularity::per_channel : Granularity::per_tensor;
        options.symmetric = symmetric;
        WeightsPtr w;
        const Status status = quantize_weights(values.data(), {size.k, 1}, size.n, size.k, options, true, &w);
        EXPECT(status == Status::ok && w, "status %d", static_cast<int>(status));
        if (w) expect_quantized(*w, values, size, per_channel, symmetric);
      }
    }
  }
}

QGEMM_TEST(non_finite_weights_are_refused_when_asked) {
  const float values[] = {1.0f, NAN, 2.0f, -INFINITY};
  WeightsPtr w;
  QuantizeWeightsOptions options;
  EXPECT(quantize_weights(values, {2, 1}, 2, 2, options, true, &w) == Status::non_finite, "NaN was not refused");
  EXPECT(quantize_weights(values, {2, 1}, 2, 2, options, false, &w) == Status::ok, "NaN was refused");
  EXPECT(panel_code(*w, 0, 1) == 0 && panel_code(*w, 1, 1) == -127, "codes of NaN and -Inf: %d %d",
         panel_code(*w, 0, 1), panel_code(*w, 1, 1));
}

QGEMM_TEST(sizes_that_do_not_fit_are_refused) {
  size_t bytes = 0;
  EXPECT(packed_size(Scheme::int8, 33, 65, &bytes) && bytes == 64 * 128, "int8 33 x 65: %zu bytes", bytes);
  EXPECT(packed_size(Scheme::float32, 33, 65, &bytes) && bytes == 64 * 65 * 4, "float32 33 x 65: %zu bytes", bytes);
  EXPECT(!packed_size(Scheme::int8, SIZE_MAX, 1, &bytes), "SIZE_MAX x 1 fits");
  EXPECT(!packed_size(Scheme::float32, SIZE_MAX / 4, 4, &bytes), "SIZE_MAX / 4 x 4 float32 fits");
  EXPECT(!packed_size(Scheme::int8, size_t{1} << 33, size_t{1} << 33, &bytes), "2^33 x 2^33 fits");
}

}  // namespace
}  // namespace test
}  // namespace qgemm
