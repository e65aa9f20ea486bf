#include "core/tensor_stats.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/float16.h"
#include "core/float_bits.h"
#include "core/thread_pool.h"

namespace qgemm {
namespace {

uint32_t load16(const uint8_t* bytes) {
  uint16_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

// As float16.h has them, without a branch and in this file, so that compilers make vector loops of them.

uint32_t float32_bits_of_float16(uint32_t half) {
  const uint32_t magnitude = (half & 0x7fffu) << 13;
  const float scaled = float_of(magnitude) * 0x1p112f;  // exact: the exponent's other bias, also of subnormals
  uint32_t bits = bits_of(scaled);
  bits = magnitude >= 0x7c00u << 13 ? magnitude | 0x7f800000u : bits;
  return bits | (half & 0x8000u) << 16;
}

uint32_t float32_bits_of_bfloat16(uint32_t value) { return value << 16; }

/// Elements that one participant converts at a time.
constexpr size_t kPiece = 32768;

struct Widening {
  const uint8_t* bytes;
  size_t count;
  float* out;
};

template <uint32_t (*bits_of)(uint32_t)>
void widen_piece(void* context, size_t index) {
  const Widening& work = *static_cast<const Widening*>(context);
  const size_t end = std::min(work.count, (index + 1) * kPiece);
  for (size_t i = index * kPiece; i < end; ++i) {
    const uint32_t bits = bits_of(load16(work.bytes + 2 * i));
    std::memcpy(work.out + i, &bits, sizeof(bits));
  }
}

template <uint32_t (*bits_of)(uint32_t)>
void widen(const uint8_t* bytes, size_t count, float* out) {
  Widening work{bytes, count, out};
  ThreadPool::instance().parallel_for((count + kPiece - 1) / kPiece, widen_piece<bits_of>, &work);
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
  widen<float32_bits_of_float16>(bytes, count, out);
}

void bfloat16_from_bytes(const uint8_t* bytes, size_t count, float* out) {
  widen<float32_bits_of_bfloat16>(bytes, count, out);
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
