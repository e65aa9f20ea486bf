#include "core/gguf_k_blocks.h"

#include "core/gguf_load.h"

namespace qgemm {
namespace {

struct ScaleAndMin {
  int scale, min;
};

// Q4_K and Q5_K keep 8 scales and 8 minimums of 6 bits in 12 bytes: sub-blocks 0..3 in the low 6 bits of bytes 0..3 and
// 4..7; sub-blocks 4..7 in the nibbles of bytes 8..11, with their upper two bits on top of bytes 0..7.
ScaleAndMin scale_and_min(const uint8_t* packed, int sub_block) {
  if (sub_block < 4) return {packed[sub_block] & 63, packed[sub_block + 4] & 63};
  const int nibbles = packed[sub_block + 4];
  return {(nibbles & 15) | (packed[sub_block - 4] >> 6 << 4), (nibbles >> 4) | (packed[sub_block] >> 6 << 4)};
}

}  // namespace

const int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// 16 bytes of scale and min (4 bits each), 64 bytes of 2-bit codes, d, dmin. Each byte of codes serves four values that
// lie 32 apart.
void dequantize_q2_k(const uint8_t* block, float* out) {
  const uint8_t* scales = block;
  const float d = load_f16(block + 80), dmin = load_f16(block + 82);
  for (int sub_block = 0; sub_block < 16; ++sub_block) {
    const uint8_t* codes = block + 16 + sub_block / 8 * 32 + sub_block % 2 * 16;
    const int shift = sub_block % 8 / 2 * 2;
    const float scale = d * static_cast<float>(scales[sub_block] & 15);
    const float min = dmin * static_cast<float>(scales[sub_block] >> 4);
    for (int i = 0; i < 16; ++i) *out++ = scale * static_cast<float>((codes[i] >> shift) & 3) - min;
  }
}

// 32 bytes of third bits, 64 bytes of the lower two, 12 bytes with 16 scales of 6 bits, d. A third bit that is not set
// takes 4 away.
void dequantize_q3_k(const uint8_t* block, float* out) {
  const uint8_t* packed = block + 96;
  const float d = load_f16(block + 108);
  for (int sub_block = 0; sub_block < 16; ++sub_block) {
    const uint8_t* high = block + sub_block % 2 * 16;
    const uint8_t* codes = block + 32 + sub_block / 8 * 32 + sub_block % 2 * 16;
    const int shift = sub_block % 8 / 2 * 2;
    const int high_bit = sub_block / 2;
    const int low = sub_block < 8 ? packed[sub_block] & 15 : packed[sub_block - 8] >> 4;
    const int code = low | ((packed[8 + sub_block % 4] >> (sub_block / 4 * 2)) & 3) << 4;
    const float scale = d * static_cast<float>(code - 32);
    for (int i = 0; i < 16; ++i) {
      const int value = ((codes[i] >> shift) & 3) + ((high[i] >> high_bit) & 1) * 4 - 4;
      *out++ = scale * static_cast<float>(value);
    }
  }
}

// d, dmin, 12 bytes of scales and minimums, 128 bytes of nibbles: the low ones of 32 bytes are a sub-block, then the
// high.
void dequantize_q4_k(const uint8_t* block, float* out) {
  const float d = load_f16(block), dmin = load_f16(block + 2);
  for (int sub_block = 0; sub_block < 8; ++sub_block) {
    const uint8_t* codes = block + 16 + sub_block / 2 * 32;
    const int shift = sub_block % 2 * 4;
    const ScaleAndMin packed = scale_and_min(block + 4, sub_block);
    const float scale = d * static_cast<float>(packed.scale), min = dmin * static_cast<float>(packed.min);
    for (int i = 0; i < 32; ++i) *out++ = scale * static_cast<float>((codes[i] >> shift) & 15) - min;
  }
}

// As Q4_K, with 32 bytes of fifth bits (bit b for sub-block b) before the nibbles.
void dequantize_q5_k(const uint8_t* block, float* out) {
  const uint8_t* high = block + 16;
  const float d = load_f16(block), dmin = load_f16(block + 2);
  for (int sub_block = 0; sub_block < 8; ++sub_block) {
    const uint8_t* codes = block + 48 + sub_block / 2 * 32;
    const int shift = sub_block % 2 * 4;
    const ScaleAndMin packed = scale_and_min(block + 4, sub_block);
    const float scale = d * static_cast<float>(packed.scale), min = dmin * static_cast<float>(packed.min);
    for (int i = 0; i < 32; ++i) {
      const int code = ((codes[i] >> shift) & 15) | ((high[i] >> sub_block) & 1) << 4;
      *out++ = scale * static_cast<float>(code) - min;
    }
  }
}

// 128 bytes of low nibbles, 64 bytes of upper two bits, 16 int8 scales, d. Each half of the block has 64 bytes of
// nibbles: four runs of 32 values take the low nibbles of the first and second 32 bytes, then the high ones.
void dequantize_q6_k(const uint8_t* block, float* out) {
  const float d = load_f16(block + 208);
  for (int run = 0; run < 8; ++run) {
    const uint8_t* low = block + run / 4 * 64 + run % 2 * 32;
    const uint8_t* high = block + 128 + run / 4 * 32;
    const uint8_t* scales = block + 192 + run * 2;
    const int low_shift = run % 4 / 2 * 4, high_shift = run % 4 * 2;
    for (int half = 0; half < 2; ++half) {
      const float scale = d * static_cast<float>(load_i8(scales + half));
      for (int i = half * 16; i < half * 16 + 16; ++i) {
        const int code = ((low[i] >> low_shift) & 15) | ((high[i] >> high_shift) & 3) << 4;
        *out++ = scale * static_cast<float>(code - 32);
      }
    }
  }
}

// float32 d, 256 int8 codes, and 16 sums of them that only products need.
void dequantize_q8_k(const uint8_t* block, float* out) {
  const float d = load_f32(block);
  for (int i = 0; i < 256; ++i) out[i] = d * static_cast<float>(load_i8(block + 4 + i));
}

// d, the upper two bits of 8 scales, their lower four, 128 bytes of nibbles that index a table of values.
void dequantize_iq4_xs(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const int scales_high = load_u16(block + 2);
  for (int sub_block = 0; sub_block < 8; ++sub_block) {
    const uint8_t* codes = block + 8 + sub_block * 16;
    const int low = (block[4 + sub_block / 2] >> (sub_block % 2 * 4)) & 15;
    const float scale = d * static_cast<float>((low | ((scales_high >> (2 * sub_block)) & 3) << 4) - 32);
    for (int i = 0; i < 16; ++i) *out++ = scale * static_cast<float>(kIq4Values[codes[i] & 15]);
    for (int i = 0; i < 16; ++i) *out++ = scale * static_cast<float>(kIq4Values[codes[i] >> 4]);
  }
}

}  // namespace qgemm
