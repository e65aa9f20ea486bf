#include "core/gguf_blocks.h"

#include <algorithm>
#include <cstring>

#include "core/float_bits.h"
#include "core/gguf_k_blocks.h"
#include "core/gguf_lattice_blocks.h"
#include "core/gguf_load.h"
#include "core/gguf_ternary_blocks.h"
#include "core/thread_pool.h"

namespace qgemm {
namespace {

// The formats with blocks of 32 values. The low nibbles of the 16 bytes of codes are the first half, the high the
// second.

void dequantize_q4_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>((block[2 + i] & 15) - 8);
  for (int i = 0; i < 16; ++i) out[16 + i] = d * static_cast<float>((block[2 + i] >> 4) - 8);
}

void dequantize_q4_1(const uint8_t* block, float* out) {
  const float d = load_f16(block), min = load_f16(block + 2);
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>(block[4 + i] & 15) + min;
  for (int i = 0; i < 16; ++i) out[16 + i] = d * static_cast<float>(block[4 + i] >> 4) + min;
}

// Bit i of `high` is the fifth bit of value i.
int fifth_bit(uint32_t high, int i) { return static_cast<int>((high >> i) & 1) << 4; }

void dequantize_q5_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const uint32_t high = load_u32(block + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(((block[6 + i] & 15) | fifth_bit(high, i)) - 16);
    out[16 + i] = d * static_cast<float>(((block[6 + i] >> 4) | fifth_bit(high, 16 + i)) - 16);
  }
}

void dequantize_q5_1(const uint8_t* block, float* out) {
  const float d = load_f16(block), min = load_f16(block + 2);
  const uint32_t high = load_u32(block + 4);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((block[8 + i] & 15) | fifth_bit(high, i)) + min;
    out[16 + i] = d * static_cast<float>((block[8 + i] >> 4) | fifth_bit(high, 16 + i)) + min;
  }
}

void dequantize_q8_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(load_i8(block + 2 + i));
}

void dequantize_iq4_nl(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>(kIq4Values[block[2 + i] & 15]);
  for (int i = 0; i < 16; ++i) out[16 + i] = d * static_cast<float>(kIq4Values[block[2 + i] >> 4]);
}

// Twice the values of the 4-bit floats of the OCP microscaling format. Minus zero is zero, as in ggml.
constexpr int8_t kFloat4Doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// A byte of exponent, then the codes. Half of 2^(e - 127) makes up for the doubled values.
void dequantize_mxfp4(const uint8_t* block, float* out) {
  const uint32_t exponent = block[0];
  const uint32_t bits = exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23;
  const float d = float_of(bits);
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>(kFloat4Doubled[block[1 + i] & 15]);
  for (int i = 0; i < 16; ++i) out[16 + i] = d * static_cast<float>(kFloat4Doubled[block[1 + i] >> 4]);
}

// Half of a float of 8 bits without a sign: 4 of exponent, 3 of mantissa. 0x7f is NaN, which ggml takes for zero.
float half_of_ue4m3(uint8_t byte) {
  if (byte == 0x7f) return 0;
  const int exponent = byte >> 3 & 15;
  const float mantissa = static_cast<float>(byte & 7);
  if (exponent == 0) return mantissa * 0x1p-10f;
  return (1 + mantissa / 8) * float_of(static_cast<uint32_t>(exponent - 8 + 127) << 23);
}

// Four scales of one byte, then eight bytes of codes for each.
void dequantize_nvfp4(const uint8_t* block, float* out) {
  for (int sub_block = 0; sub_block < 4; ++sub_block) {
    const uint8_t* codes = block + 4 + sub_block * 8;
    const float d = half_of_ue4m3(block[sub_block]);
    for (int i = 0; i < 8; ++i) *out++ = d * static_cast<float>(kFloat4Doubled[codes[i] & 15]);
    for (int i = 0; i < 8; ++i) *out++ = d * static_cast<float>(kFloat4Doubled[codes[i] >> 4]);
  }
}

constexpr BlockFormat kFormats[] = {{"Q4_0", 32, 18, dequantize_q4_0},        {"Q4_1", 32, 20, dequantize_q4_1},
                                    {"Q5_0", 32, 22, dequantize_q5_0},        {"Q5_1", 32, 24, dequantize_q5_1},
                                    {"Q8_0", 32, 34, dequantize_q8_0},        {"Q2_K", 256, 84, dequantize_q2_k},
                                    {"Q3_K", 256, 110, dequantize_q3_k},      {"Q4_K", 256, 144, dequantize_q4_k},
                                    {"Q5_K", 256, 176, dequantize_q5_k},      {"Q6_K", 256, 210, dequantize_q6_k},
                                    {"Q8_K", 256, 292, dequantize_q8_k},      {"IQ4_NL", 32, 18, dequantize_iq4_nl},
                                    {"IQ4_XS", 256, 136, dequantize_iq4_xs},  {"MXFP4", 32, 17, dequantize_mxfp4},
                                    {"NVFP4", 64, 36, dequantize_nvfp4},      {"IQ1_S", 256, 50, dequantize_iq1_s},
                                    {"IQ1_M", 256, 56, dequantize_iq1_m},     {"IQ2_XXS", 256, 66, dequantize_iq2_xxs},
                                    {"IQ2_XS", 256, 74, dequantize_iq2_xs},   {"IQ2_S", 256, 82, dequantize_iq2_s},
                                    {"IQ3_XXS", 256, 98, dequantize_iq3_xxs}, {"IQ3_S", 256, 110, dequantize_iq3_s},
                                    {"TQ1_0", 256, 54, dequantize_tq1_0},     {"TQ2_0", 256, 66, dequantize_tq2_0}};

// Values per task of the pool: 64 KiB of float32, so that handing it over costs nothing beside it.
constexpr size_t kTaskElements = 16384;

struct DequantizeWork {
  const BlockFormat* format;
  const uint8_t* blocks;
  size_t begin, end;  // of the values, counted from the first block
  uint8_t* out;
};

void dequantize_task(void* context, size_t index) {
  const DequantizeWork& work = *static_cast<const DequantizeWork*>(context);
  const BlockFormat& format = *work.format;
  const size_t task_end = std::min(work.end, (index + 1) * kTaskElements);
  alignas(64) float values[kMaxBlockElements];
  for (size_t start = index * kTaskElements; start < task_end; start += format.elements) {
    const size_t begin = std::max(start, work.begin), end = std::min(start + format.elements, task_end);
    if (begin >= end) continue;
    format.dequantize(work.blocks + start / format.elements * format.bytes, values);
    std::memcpy(work.out + (begin - work.begin) * sizeof(float), values + (begin - start),
                (end - begin) * sizeof(float));
  }
}

}  // namespace

const BlockFormat* find_block_format(const std::string& name) {
  for (const BlockFormat& format : kFormats) {
    if (name == format.name) return &format;
  }
  return nullptr;
}

void dequantize_blocks(const BlockFormat& format, const uint8_t* blocks, size_t first, size_t count, uint8_t* out) {
  if (count == 0) return;
  const size_t skipped = first / format.elements;
  const size_t begin = first % format.elements;
  DequantizeWork work{&format, blocks + skipped * format.bytes, begin, begin + count, out};
  ThreadPool::instance().parallel_for((work.end + kTaskElements - 1) / kTaskElements, dequantize_task, &work);
}

}  // namespace qgemm
