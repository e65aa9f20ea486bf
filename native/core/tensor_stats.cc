#include "core/tensor_stats.h"

#include <cmath>
#include <cstring>

#include "core/float16.h"

namespace qgemm {
namespace {

uint16_t load16(const uint8_t* bytes) {
  uint16_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

// Math.round is floor(x + 0.5) but for the sum's own rounding; ToInt32 takes it modulo 2^32.
int32_t round_to_int32(double value) {
  double rounded = std::floor(value);
  if (value - rounded >= 0.5) rounded += 1;
  if (!std::isfinite(rounded)) return 0;
  double wrapped = std::fmod(rounded, 4294967296.0);
  if (wrapped < 0) wrapped += 4294967296.0;
  return static_cast<int32_t>(static_cast<uint32_t>(wrapped));
}

template <typename Code>
void to_float32(const Code* codes, size_t count, double scale, double min, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>(codes[i] * scale + min);
}

template <typename Code>
void to_int32(const Code* codes, size_t count, double scale, double min, int32_t* out) {
  for (size_t i = 0; i < count; ++i) out[i] = round_to_int32(codes[i] * scale + min);
}

}  // namespace

void float32_from_bytes(const uint8_t* bytes, size_t count, float* out) {
  std::memcpy(out, bytes, count * sizeof(float));
}

void float16_from_bytes(const uint8_t* bytes, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = float16_to_float32(load16(bytes + 2 * i));
}

void bfloat16_from_bytes(const uint8_t* bytes, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = bfloat16_to_float32(load16(bytes + 2 * i));
}

bool float16_to_bytes(const float* x, size_t count, bool clip, uint8_t* bytes) {
  bool finite = true;
  for (size_t i = 0; i < count; ++i) {
    uint16_t half = float32_to_float16(x[i]);
    if ((half & 0x7fffu) >= 0x7c00u) {
      finite = false;
      if (clip) half = std::isnan(x[i]) ? 0 : static_cast<uint16_t>(half - 1);  // the largest finite one
    }
    std::memcpy(bytes + 2 * i, &half, sizeof(half));
  }
  return finite || clip;
}

void affine_dequantize(const uint8_t* codes, size_t count, double scale, double min, float* out) {
  to_float32(codes, count, scale, min, out);
}
void affine_dequantize(const uint16_t* codes, size_t count, double scale, double min, float* out) {
  to_float32(codes, count, scale, min, out);
}
void affine_dequantize(const uint8_t* codes, size_t count, double scale, double min, int32_t* out) {
  to_int32(codes, count, scale, min, out);
}
void affine_dequantize(const uint16_t* codes, size_t count, double scale, double min, int32_t* out) {
  to_int32(codes, count, scale, min, out);
}

}  // namespace qgemm
