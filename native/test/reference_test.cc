// The oracle itself, against hand-made examples and against the C++ library in double precision.
#include "core/reference.h"

#include <cmath>
#include <cstring>

#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

double exact(Activation activation, double x) {
  switch (activation) {
    case Activation::relu:
      return x < 0 ? 0 : x;
    case Activation::gelu:
      return x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case Activation::silu:
      return x / (1 + std::exp(-x));
    default:
      return x;
  }
}

// Largest |oracle - exact| / max(1, |x|) over [-30, 30].
double largest_error(Activation activation) {
  double largest = 0;
  for (double x = -30; x <= 30; x += 1.0 / 512) {
    const double error = std::fabs(reference::activate(activation, static_cast<float>(x)) - exact(activation, x));
    largest = std::fmax(largest, error / std::fmax(1.0, std::fabs(x)));
  }
  return largest;
}

QGEMM_TEST(activations_are_the_functions_they_are_named_after) {
  EXPECT(largest_error(Activation::none) == 0, "none is not the identity");
  EXPECT(largest_error(Activation::relu) == 0, "relu is not exact");
  for (const Activation activation : {Activation::gelu, Activation::gelu_tanh, Activation::silu}) {
    const double error = largest_error(activation);
    EXPECT(error < 3e-7, "activation %u: error %.3g", static_cast<uint32_t>(activation), error);
    EXPECT(error > 0, "activation %u: no error at all, so nothing was computed", static_cast<uint32_t>(activation));
  }
}

QGEMM_TEST(activations_of_special_values) {
  for (const Activation activation : {Activation::relu, Activation::gelu, Activation::gelu_tanh, Activation::silu}) {
    const uint32_t id = static_cast<uint32_t>(activation);
    EXPECT(std::isnan(reference::activate(activation, NAN)), "activation %u: NaN does not pass", id);
    EXPECT(reference::activate(activation, INFINITY) == INFINITY, "activation %u: +Inf does not pass", id);
    EXPECT(reference::activate(activation, 0.0f) == 0.0f, "activation %u: f(0) is not 0", id);
  }
  EXPECT(std::signbit(reference::activate(Activation::relu, -0.0f)), "relu(-0) is not -0");
}

QGEMM_TEST(a_row_is_quantized_by_the_formula) {
  // scale = 2/255 - -1/255 = 3/255; inv = 85; zp = rne(85) = 85; q = rne(85 x) + 85.
  const float x[] = {-1.0f, 2.0f, 0.0f, 0.5f, 0.1f};
  uint8_t q[8];
  QuantizeRowArgs args{};
  args.x = x;
  args.k = 5;
  args.padded_k = 8;
  args.range = RowRange::asymmetric;
  args.want_row_sum = true;
  args.q = q;
  reference::quantize_row(&args);
  const uint8_t expected[] = {0, 255, 85, 127, 93, 0, 0, 0};  // 85 * 0.5 = 42.5 rounds to 42
  EXPECT(std::memcmp(q, expected, 8) == 0, "asymmetric codes: %d %d %d %d %d", q[0], q[1], q[2], q[3], q[4]);
  EXPECT(args.zero_point == 85 && args.row_sum == 0 + 255 + 85 + 127 + 93, "zero point %d, sum %d", args.zero_point,
         args.row_sum);
  args.range = RowRange::symmetric;
  reference::quantize_row(&args);
  // scale = 2/127: -1 gives -63.5, which rounds to -64.
  EXPECT(q[0] == 64 && q[1] == 255 && q[2] == 128 && args.zero_point == 128, "symmetric codes: %d %d %d", q[0], q[1],
         q[2]);
}

QGEMM_TEST(a_small_product_comes_out_as_on_paper) {
  // One output: a = [1, 2], w = [3, -4], zero point 5: (1-5)*3 + (2-5)*(-4) = 0, plus asymmetric weights zw = 1.
  uint8_t a[64] = {1, 2};
  int8_t panel[64 * 32] = {3, -4};
  const float a_scale = 0.5f, b_scale[32] = {0.25f}, bias[32] = {1.0f};
  const int32_t a_zero = 5, a_sum = 3, b_sum[32] = {-1}, b_zero[32] = {1};
  float c = 0;
  GemmU8S8Args args{};
  args.m = args.n = args.ldc = 1;
  args.k = args.lda = 64;
  args.a = a;
  args.b = panel;
  args.panel_stride = sizeof panel;
  args.c = &c;
  args.a_scales = &a_scale;
  args.a_zero_points = &a_zero;
  args.b_scales = b_scale;
  args.b_column_sums = b_sum;
  args.logical_k = 2;
  args.epilogue.bias = bias;
  reference::gemm_u8s8(args);
  EXPECT(c == 1.0f, "symmetric weights: %g", c);
  args.a_row_sums = &a_sum;
  args.b_zero_points = b_zero;
  reference::gemm_u8s8(args);  // (1-5)*(3-1) + (2-5)*(-4-1) = 7; 7 * 0.125 + 1
  EXPECT(c == 1.875f, "asymmetric weights: %g", c);
}

}  // namespace
}  // namespace test
}  // namespace qgemm
