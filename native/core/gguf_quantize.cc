// Quantization to Q8_0.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "core/float16.h"
#include "core/gguf_blocks.h"
#include "core/thread_pool.h"

namespace qgemm {
namespace {

struct QuantizeWork {
  const float* x;
  size_t blocks;
  bool clip;
  uint8_t* out;
  std::atomic<bool> refused{false};
};

// Blocks per task of the pool.
constexpr size_t kTaskBlocks = 512;

constexpr float kMaxFloat16 = 65504.0f;

// Half away from zero: adding 0.5 first would round up what lies just below a half.
uint8_t code(float value) {
  const int whole = static_cast<int>(value);
  const float rest = value - static_cast<float>(whole);
  return static_cast<uint8_t>(whole + (rest >= 0.5f) - (rest <= -0.5f));
}

// What lies beyond the range of the codes takes the nearest one, NaN takes 0.
uint8_t clipped_code(float value) {
  if (value >= 127.0f) return 127;
  if (value <= -127.0f) return static_cast<uint8_t>(-127);
  return value == value ? code(value) : 0;
}

// Up to 2^-128 the reciprocal overflows. Such a d is 0 in float16, so every code stands for 0.
float reciprocal(float d) { return d > 0x1p-128f ? 1.0f / d : 0.0f; }

void store_scale(float d, uint8_t* out) {
  const uint16_t stored = float32_to_float16(d);
  std::memcpy(out, &stored, sizeof stored);
}

// The range is that of the finite values.
void quantize_q8_0_clipped(const float* x, uint8_t* out) {
  float amax = 0;
  for (size_t i = 0; i < kQ8_0Elements; ++i) {
    const float magnitude = x[i] < 0 ? -x[i] : x[i];
    if (magnitude <= std::numeric_limits<float>::max() && magnitude > amax) amax = magnitude;
  }
  const float d = std::min(amax / 127.0f, kMaxFloat16);
  store_scale(d, out);
  for (size_t i = 0; i < kQ8_0Elements; ++i) out[2 + i] = clipped_code(x[i] * reciprocal(d));
}

bool quantize_q8_0_block(const float* x, uint8_t* out) {
  float amax = 0;
  bool finite = true;
  for (size_t i = 0; i < kQ8_0Elements; ++i) {
    const float magnitude = x[i] < 0 ? -x[i] : x[i];
    finite &= magnitude <= std::numeric_limits<float>::max();
    amax = magnitude > amax ? magnitude : amax;
  }
  const float d = amax / 127.0f;
  if (!finite || d >= kMaxFloat16 + 16) return false;
  store_scale(d, out);
  const float inverse = reciprocal(d);
  for (size_t i = 0; i < kQ8_0Elements; ++i) out[2 + i] = code(x[i] * inverse);
  return true;
}

void quantize_task(void* context, size_t index) {
  QuantizeWork& work = *static_cast<QuantizeWork*>(context);
  const size_t end = std::min(work.blocks, (index + 1) * kTaskBlocks);
  for (size_t block = index * kTaskBlocks; block < end; ++block) {
    const float* x = work.x + block * kQ8_0Elements;
    uint8_t* out = work.out + block * kQ8_0Bytes;
    if (quantize_q8_0_block(x, out)) continue;
    if (work.clip) {
      quantize_q8_0_clipped(x, out);
    } else {
      work.refused.store(true, std::memory_order_relaxed);
      return;
    }
  }
}

}  // namespace

Status quantize_q8_0(const float* x, size_t blocks, bool clip, uint8_t* out) {
  QuantizeWork work;
  work.x = x;
  work.blocks = blocks;
  work.clip = clip;
  work.out = out;
  ThreadPool::instance().parallel_for((blocks + kTaskBlocks - 1) / kTaskBlocks, quantize_task, &work);
  return work.refused.load(std::memory_order_relaxed) ? Status::non_finite : Status::ok;
}

}  // namespace qgemm
