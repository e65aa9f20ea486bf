#include "core/reference.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace qgemm {
namespace reference {
namespace {

// e^x for x <= 0: 2^n * e^r, n = rne(x log2 e), r = x - n ln 2 in two steps; 0 below -87.3.
float exp_nonpositive(float x) {
  if (x < -87.3f) return 0.0f;
  const float n = std::nearbyint(x * 1.44269504088896341f);
  const float r = std::fma(n, 2.12194440e-4f, std::fma(n, -0.693359375f, x));
  float p = 1.9875691500e-4f;
  for (const float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f}) {
    p = std::fma(p, r, c);
  }
  p = std::fma(p, r * r, r) + 1.0f;
  return std::isnan(x) ? x : std::ldexp(p, static_cast<int>(n));
}

float sigmoid(float x) {
  const float e = exp_nonpositive(-std::fabs(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

// Phi(x) from erfc(z) = t exp(-z^2 + P(t)), t = 1 / (1 + z/2), z = |x| / sqrt 2.
float normal_cdf(float x) {
  const float z = std::fabs(x) * 0.70710678118654752f;
  const float t = 1.0f / std::fma(z, 0.5f, 1.0f);
  float p = 0.17087277f;
  for (const float c : {-0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f, -0.18628806f, 0.09678418f, 0.37409196f,
                        1.00002368f, -1.26551223f}) {
    p = std::fma(p, t, c);
  }
  const float tail = t * 0.5f * exp_nonpositive(std::fma(-z, z, p));
  return x < 0.0f ? tail : 1.0f - tail;
}

uint8_t output_code(const OutputCodes& output, float y) {
  const float t = y * output.factor;
  const float rounded = std::isnan(t) ? 0.0f : std::clamp(std::nearbyint(t), output.lowest, output.highest);
  return static_cast<uint8_t>(static_cast<int32_t>(rounded) + output.zero_point);
}

void store(const EpilogueArgs& args, float y, size_t i, size_t j, void* c, size_t ldc) {
  y = activate(args.activation, y);
  if (args.residual) y += args.residual[i * args.ld_residual + j];
  if (args.output) {
    static_cast<uint8_t*>(c)[i * ldc + j] = output_code(*args.output, y);
  } else {
    static_cast<float*>(c)[i * ldc + j] = y;
  }
}

}  // namespace

float activate(Activation activation, float x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x < 0.0f ? 0.0f : x;
    case Activation::gelu:
      return x * normal_cdf(x);
    case Activation::gelu_tanh:
      return x * sigmoid(std::fma(x * x * x, 0.044715f, x) * 1.5957691216057308f);
    case Activation::silu:
      return x * sigmoid(x);
  }
  return x;
}

void gemm_u8s8(const GemmU8S8Args& args) {
  for (size_t i = 0; i < args.m; ++i) {
    for (size_t j = 0; j < args.n; ++j) {
      const int8_t* column = args.b + j / kPanelColumns * args.panel_stride + j % kPanelColumns * 4;
      uint32_t t = 0;  // modulo 2^32
      for (size_t l = 0; l < args.k; ++l) {
        t += static_cast<uint32_t>(args.a[i * args.lda + l] * column[l / 4 * 4 * kPanelColumns + l % 4]);
      }
      const uint32_t za = args.a_zero_points ? static_cast<uint32_t>(args.a_zero_points[i]) : 0;
      const uint32_t zb = args.b_zero_points ? static_cast<uint32_t>(args.b_zero_points[j]) : 0;
      if (args.a_zero_points) t -= za * static_cast<uint32_t>(args.b_column_sums[j]);
      if (args.b_zero_points) t -= zb * static_cast<uint32_t>(args.a_row_sums[i]);
      t += args.logical_k * za * zb;
      if (!args.a_scales) {
        static_cast<int32_t*>(args.c)[i * args.ldc + j] = static_cast<int32_t>(t);
        continue;
      }
      const float bias = args.epilogue.bias ? args.epilogue.bias[j] : 0.0f;
      const float y = std::fma(static_cast<float>(static_cast<int32_t>(t)), args.a_scales[i] * args.b_scales[j], bias);
      store(args.epilogue, y, i, j, args.c, args.ldc);
    }
  }
}

void gemm_f32(const GemmF32Args& args) {
  for (size_t i = 0; i < args.m; ++i) {
    for (size_t j = 0; j < args.n; ++j) {
      const float* column = args.b + j / kPanelColumns * args.panel_stride + j % kPanelColumns;
      float y = 0.0f;
      for (size_t l = 0; l < args.k; ++l) {
        y = std::fma(args.a[l * args.lda + i * args.row_stride], column[l * kPanelColumns], y);
      }
      if (args.epilogue.bias) y += args.epilogue.bias[j];
      store(args.epilogue, y, i, j, args.c, args.ldc);
    }
  }
}

}  // namespace reference
}  // namespace qgemm
