#include "test/driver_oracle.h"

#include <cmath>

#include "core/reference.h"
#include "test/kernel_checks.h"

namespace qgemm {
namespace test {
namespace {

void draw_inputs(DriverCase* c, size_t n, size_t k, Random* random) {
  c->x.resize(c->m * k);
  for (float& x : c->x) x = random->real(-3.0f, 2.0f);
  if (random->chance(2)) {
    c->bias.assign(round_up(n, kPanelColumns), 0.0f);
    for (size_t j = 0; j < n; ++j) c->bias[j] = random->real(-1.0f, 1.0f);
  }
  if (random->chance(3)) {
    c->residual.resize(c->m * n);
    for (float& r : c->residual) r = random->real(-1.0f, 1.0f);
  }
  c->activation = kActivations[random->bits() % std::size(kActivations)];
}

}  // namespace

OutputCodes draw_output_codes(Random* random, float largest) {
  const int32_t qmin = random->chance(2) ? -128 : 0;
  const int32_t zero_point = static_cast<int32_t>(random->integer(qmin, qmin + 255));
  return make_output_codes(random->real(0.2f, 1.0f) * largest / 100, zero_point, qmin, qmin + 255);
}

DriverCase DriverCase::int8(size_t m, size_t n, size_t k, bool asymmetric_weights, RowRange range, Random* random) {
  DriverCase c;
  c.m = m;
  std::vector<int8_t> codes(n * k);
  const bool corners = random->chance(4);
  for (int8_t& code : codes) {
    code = static_cast<int8_t>(corners ? (random->chance(2) ? 127 : -128) : random->integer(-128, 127));
  }
  std::vector<float> scales(n);
  for (float& scale : scales) scale = random->real(0.001f, 0.02f);
  std::vector<int32_t> zero_points(n);
  for (int32_t& zero_point : zero_points) zero_point = static_cast<int32_t>(random->integer(-128, 127));
  c.weights = pack_int8(codes.data(), false, WeightLayout{k, 1}, n, k, scales.data(),
                        asymmetric_weights ? zero_points.data() : nullptr, Granularity::per_channel, range);
  draw_inputs(&c, n, k, random);
  return c;
}

DriverCase DriverCase::float32(size_t m, size_t n, size_t k, Random* random) {
  DriverCase c;
  c.m = m;
  std::vector<float> values(n * k);
  for (float& value : values) value = random->real(-1.0f, 1.0f);
  QuantizeWeightsOptions options;
  options.scheme = Scheme::float32;
  const Status status = quantize_weights(values.data(), WeightLayout{k, 1}, n, k, options, false, &c.weights);
  EXPECT(status == Status::ok, "packing float32 [%zu, %zu]: status %d", n, k, static_cast<int>(status));
  draw_inputs(&c, n, k, random);
  return c;
}

LinearEpilogue DriverCase::epilogue() const {
  return {bias.empty() ? nullptr : bias.data(), residual.empty() ? nullptr : residual.data(), activation, nullptr};
}

std::vector<float> DriverCase::expected() const {
  const PackedWeights& w = *weights;
  std::vector<float> y(m * w.n);
  const EpilogueArgs ends{epilogue().bias, epilogue().residual, w.n, activation, nullptr};
  if (w.scheme == Scheme::float32) {
    GemmF32Args args{};
    args.m = m;
    args.lda = 1;
    args.row_stride = w.k;
    args.n = args.ldc = w.n;
    args.k = w.k;
    args.a = x.data();
    args.b = static_cast<const float*>(w.panels);
    args.panel_stride = w.panel_stride();
    args.c = y.data();
    args.epilogue = ends;
    reference::gemm_f32(args);
    return y;
  }
  const size_t lda = w.padded_k();
  std::vector<uint8_t> q(m * lda);
  std::vector<float> scales(m);
  std::vector<int32_t> zero_points(m), row_sums(m);
  for (size_t i = 0; i < m; ++i) {
    QuantizeRowArgs row{};
    row.x = x.data() + i * w.k;
    row.k = w.k;
    row.padded_k = lda;
    row.range = w.activations;
    row.want_row_sum = true;
    row.q = q.data() + i * lda;
    reference::quantize_row(&row);
    scales[i] = row.scale;
    zero_points[i] = row.zero_point;
    row_sums[i] = row.row_sum;
  }
  GemmU8S8Args args{};
  args.m = m;
  args.n = w.n;
  args.k = lda;
  args.a = q.data();
  args.lda = lda;
  args.b = static_cast<const int8_t*>(w.panels);
  args.panel_stride = w.panel_stride();
  args.c = y.data();
  args.ldc = w.n;
  args.a_scales = scales.data();
  args.a_zero_points = zero_points.data();
  args.a_row_sums = row_sums.data();
  args.b_scales = w.scales;
  args.b_column_sums = w.column_sums;
  args.b_zero_points = w.zero_points;
  args.logical_k = static_cast<uint32_t>(w.k);
  args.epilogue = ends;
  reference::gemm_u8s8(args);
  return y;
}

Input DriverCase::input() const {
  Input input;
  input.x = x.data();
  return input;
}

size_t DriverCase::first_difference(const std::vector<float>& y) const {
  const std::vector<float> wanted = expected();
  for (size_t i = 0; i < y.size(); ++i) {
    if (!same(y[i], wanted[i])) return i;
  }
  return y.size();
}

}  // namespace test
}  // namespace qgemm
