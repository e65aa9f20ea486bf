// forward_layers beyond the plain case: static scales, rows of codes, several layers on one input, rows and residuals
// that share memory with the result, results as codes. Each against the oracle's formulas.
#include <cmath>
#include <cstring>
#include <vector>

#include "core/gemm.h"
#include "core/reference.h"
#include "core/thread_pool.h"
#include "test/driver_oracle.h"
#include "test/kernel_checks.h"

namespace qgemm {
namespace test {
namespace {

// Rows as the oracle sees them: uint8 codes with their parameters.
struct Rows {
  std::vector<uint8_t> q;  // [m, padded K]
  std::vector<float> scales;
  std::vector<int32_t> zero_points, sums;

  Rows(const DriverCase& c)
      : q(c.m * c.weights->padded_k()), scales(c.m), zero_points(c.m), sums(c.m), stride(c.weights->padded_k()) {}
  void sum_rows() {
    for (size_t i = 0; i < sums.size(); ++i) {
      sums[i] = 0;
      for (size_t l = 0; l < stride; ++l) sums[i] += q[i * stride + l];
    }
  }
  size_t stride;
};

Rows quantize_static(const DriverCase& c, const InputScheme& scheme) {
  Rows rows(c);
  const size_t k = c.weights->k;
  const float factor = 1.0f / scheme.scale;
  const float lowest = static_cast<float>(-scheme.zero_point), highest = lowest + 255.0f;
  for (size_t i = 0; i < c.m; ++i) {
    reference::quantize({{1, k, k, false},
                         c.x.data() + i * k,
                         rows.q.data() + i * rows.stride,
                         false,
                         &factor,
                         &lowest,
                         &highest,
                         &scheme.zero_point});
    rows.scales[i] = scheme.scale;
    rows.zero_points[i] = scheme.zero_point;
  }
  rows.sum_rows();
  return rows;
}

void oracle(const DriverCase& c, const Rows& rows, const OutputCodes* output, void* y) {
  const PackedWeights& w = *c.weights;
  GemmU8S8Args args{};
  args.m = c.m;
  args.n = w.n;
  args.k = w.padded_k();
  args.a = rows.q.data();
  args.lda = rows.stride;
  args.b = static_cast<const int8_t*>(w.panels);
  args.panel_stride = w.panel_stride();
  args.c = y;
  args.ldc = w.n;
  args.a_scales = rows.scales.data();
  args.a_zero_points = rows.zero_points.data();
  args.a_row_sums = rows.sums.data();
  args.b_scales = w.scales;
  args.b_column_sums = w.column_sums;
  args.b_zero_points = w.zero_points;
  args.logical_k = static_cast<uint32_t>(w.k);
  args.epilogue = {c.epilogue().bias, c.epilogue().residual, w.n, c.activation, output};
  reference::gemm_u8s8(args);
}

std::vector<float> oracle(const DriverCase& c, const Rows& rows) {
  std::vector<float> y(c.m * c.weights->n);
  oracle(c, rows, nullptr, y.data());
  return y;
}

std::vector<float> forward(const DriverCase& c, const InputScheme& scheme, const Input& input) {
  std::vector<float> y(c.m * c.weights->n, NAN);
  const LinearOutput output = {c.weights.get(), c.epilogue(), y.data()};
  const Status status = forward_layers(scheme, input, c.m, false, &output, 1);
  EXPECT(status == Status::ok, "status %d", static_cast<int>(status));
  return y;
}

bool equal(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}

QGEMM_TEST(static_scales_give_the_oracles_bytes) {
  Random random;
  for (size_t m = 1; m <= 40; m += 3) {
    for (const size_t k : {1, 15, 64, 200}) {
      DriverCase c = DriverCase::int8(m, 70, k, m % 2 == 0, RowRange::asymmetric, &random);
      InputScheme scheme = dynamic_input(*c.weights);
      scheme.is_static = true;
      scheme.scale = random.real(0.005f, 0.05f);  // the smaller ones saturate
      scheme.zero_point = static_cast<int32_t>(random.integer(0, 255));
      const float specials[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, -0.0f};
      for (const float special : specials) c.x[random.bits() % c.x.size()] = special;
      EXPECT(equal(forward(c, scheme, c.input()), oracle(c, quantize_static(c, scheme))), "m=%zu k=%zu", m, k);
    }
  }
}

QGEMM_TEST(static_scales_refuse_what_is_not_finite_when_told) {
  Random random;
  DriverCase c = DriverCase::int8(3, 5, 70, false, RowRange::asymmetric, &random);
  InputScheme scheme = dynamic_input(*c.weights);
  scheme.is_static = true;
  std::vector<float> y(15, 42.0f);
  const LinearOutput output = {c.weights.get(), c.epilogue(), y.data()};
  EXPECT(forward_layers(scheme, c.input(), 3, true, &output, 1) == Status::ok, "finite rows were refused");
  std::fill(y.begin(), y.end(), 42.0f);
  c.x[200] = INFINITY;
  EXPECT(forward_layers(scheme, c.input(), 3, true, &output, 1) == Status::non_finite, "infinity was not refused");
  EXPECT(y == std::vector<float>(15, 42.0f), "something was written");
}

QGEMM_TEST(rows_of_codes_are_taken_as_they_are) {
  Random random;
  for (const bool is_signed : {false, true}) {
    for (const bool per_row : {false, true}) {
      for (size_t m = 1; m <= 20; ++m) {
        const size_t k = 1 + random.bits() % 150;
        const DriverCase c = DriverCase::int8(m, 40, k, m % 3 == 0, RowRange::asymmetric, &random);
        std::vector<uint8_t> codes(m * k);
        for (uint8_t& code : codes) code = static_cast<uint8_t>(random.bits());
        std::vector<float> scales(per_row ? m : 1);
        std::vector<int32_t> zero_points(scales.size());
        for (float& scale : scales) scale = random.real(0.001f, 2.0f);
        const int32_t lowest = is_signed ? -128 : 0;
        for (int32_t& zero : zero_points) zero = static_cast<int32_t>(random.integer(lowest, lowest + 255));
        Rows rows(c);
        for (size_t i = 0; i < m; ++i) {
          for (size_t l = 0; l < k; ++l) {
            const uint8_t code = codes[i * k + l];
            rows.q[i * rows.stride + l] =
                static_cast<uint8_t>(is_signed ? static_cast<int8_t>(code) + 128 : static_cast<int32_t>(code));
          }
          rows.scales[i] = scales[per_row ? i : 0];
          rows.zero_points[i] = zero_points[per_row ? i : 0] - lowest;
        }
        rows.sum_rows();
        Input input;
        input.quantized = {codes.data(), is_signed, per_row, scales.data(), zero_points.data()};
        EXPECT(equal(forward(c, dynamic_input(*c.weights), input), oracle(c, rows)), "signed=%d per_row=%d m=%zu k=%zu",
               is_signed, per_row, m, k);
      }
    }
  }
}

QGEMM_TEST(layers_on_one_input_give_what_each_gives_alone) {
  Random random;
  for (const size_t m : {1, 5, 130}) {
    const DriverCase q = DriverCase::int8(m, 100, 300, false, RowRange::asymmetric, &random);
    const DriverCase k = DriverCase::int8(m, 33, 300, true, RowRange::asymmetric, &random);
    const DriverCase v = DriverCase::int8(m, 1, 300, false, RowRange::asymmetric, &random);
    InputScheme scheme = dynamic_input(*q.weights);
    scheme.row_sums = true;
    std::vector<float> y[3];
    LinearOutput outputs[3];
    const DriverCase* layers[] = {&q, &k, &v};
    for (int i = 0; i < 3; ++i) {
      y[i].assign(m * layers[i]->weights->n, NAN);
      outputs[i] = {layers[i]->weights.get(), layers[i]->epilogue(), y[i].data()};
    }
    EXPECT(forward_layers(scheme, q.input(), m, false, outputs, 3) == Status::ok, "m=%zu", m);
    for (int i = 0; i < 3; ++i) {
      const InputScheme own = dynamic_input(*layers[i]->weights);
      EXPECT(equal(y[i], forward(*layers[i], own, q.input())), "m=%zu layer %d", m, i);
    }
  }
}

QGEMM_TEST(float32_results_may_take_the_place_of_the_rows) {
  Random random;
  for (const size_t m : {1, 3, 13, 90, 200}) {
    for (const size_t size : {1, 20, 100, 128}) {
      const DriverCase c = DriverCase::float32(m, size, size, &random);
      std::vector<float> y = c.x;
      const LinearOutput output = {c.weights.get(), c.epilogue(), y.data()};
      Input input;
      input.x = y.data();
      const Status status = forward_layers(dynamic_input(*c.weights), input, m, false, &output, 1);
      EXPECT(status == Status::ok && c.first_difference(y) == y.size(), "m=%zu n=k=%zu", m, size);
    }
  }
}

QGEMM_TEST(a_residual_may_share_memory_with_the_result) {
  Random random;
  for (const size_t m : {1, 7, 90}) {
    for (const size_t shift : {0, 1, 40}) {
      DriverCase c = DriverCase::int8(m, 70, 130, false, RowRange::asymmetric, &random);
      c.residual.clear();
      const size_t size = m * 70;
      std::vector<float> residual(size);
      for (float& r : residual) r = random.real(-1.0f, 1.0f);
      const std::vector<float> plain = forward(c, dynamic_input(*c.weights), c.input());
      std::vector<float> memory(size + shift);
      std::memcpy(memory.data() + shift, residual.data(), size * sizeof(float));
      LinearEpilogue epilogue = c.epilogue();
      epilogue.residual = memory.data() + shift;
      const LinearOutput output = {c.weights.get(), epilogue, memory.data()};
      EXPECT(forward_layers(dynamic_input(*c.weights), c.input(), m, false, &output, 1) == Status::ok, "m=%zu", m);
      for (size_t i = 0; i < size; ++i) {
        EXPECT(same(memory[i], plain[i] + residual[i]), "m=%zu shift=%zu: y[%zu] is %.9g", m, shift, i, memory[i]);
      }
    }
  }
}

QGEMM_TEST(results_as_codes_are_the_oracles_on_any_number_of_threads) {
  Random random;
  for (const size_t m : {1, 3, 16, 77}) {
    const DriverCase c = DriverCase::int8(m, 515, 200, m == 3, RowRange::asymmetric, &random);
    const OutputCodes codes = draw_output_codes(&random, 8.0f);
    InputScheme scheme = dynamic_input(*c.weights);
    scheme.is_static = true;
    scheme.scale = 5.0f / 255;
    scheme.zero_point = 153;
    std::vector<uint8_t> expected(m * 515);
    oracle(c, quantize_static(c, scheme), &codes, expected.data());
    for (const size_t threads : {1, 2, 5}) {
      ThreadPool::instance().set_num_threads(threads);
      std::vector<uint8_t> y(m * 515);
      LinearEpilogue epilogue = c.epilogue();
      epilogue.output = &codes;
      const LinearOutput output = {c.weights.get(), epilogue, y.data()};
      EXPECT(forward_layers(scheme, c.input(), m, false, &output, 1) == Status::ok, "m=%zu", m);
      EXPECT(y == expected, "m=%zu threads=%zu: codes differ from the oracle's", m, threads);
    }
  }
}

}  // namespace
}  // namespace test
}  // namespace qgemm
