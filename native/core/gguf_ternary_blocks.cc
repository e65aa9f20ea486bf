#include "core/gguf_ternary_blocks.h"

#include "core/gguf_load.h"

namespace qgemm {
namespace {

// Digit `place` of a byte that holds five digits of base 3: it is a fraction of 256, whose first digit comes first.
float digit(uint8_t byte, int place, float d) {
  static const uint8_t kPowers[5] = {1, 3, 9, 27, 81};
  const int fraction = static_cast<uint8_t>(byte * kPowers[place]);
  return d * static_cast<float>((fraction * 3 >> 8) - 1);
}

}  // namespace

// 32 bytes of five digits, 16 of five, four of four, d. The first digits of a group of bytes are the first values.
void dequantize_tq1_0(const uint8_t* block, float* out) {
  const float d = load_f16(block + 52);
  for (int place = 0; place < 5; ++place) {
    for (int i = 0; i < 32; ++i) *out++ = digit(block[i], place, d);
  }
  for (int place = 0; place < 5; ++place) {
    for (int i = 0; i < 16; ++i) *out++ = digit(block[32 + i], place, d);
  }
  for (int place = 0; place < 4; ++place) {
    for (int i = 0; i < 4; ++i) *out++ = digit(block[48 + i], place, d);
  }
}

// 64 bytes of four codes of 2 bits, d. Each byte serves four values that lie 32 apart.
void dequantize_tq2_0(const uint8_t* block, float* out) {
  const float d = load_f16(block + 64);
  for (int run = 0; run < 8; ++run) {
    const uint8_t* codes = block + run / 4 * 32;
    for (int i = 0; i < 32; ++i) *out++ = d * static_cast<float>((codes[i] >> (run % 4 * 2) & 3) - 1);
  }
}

}  // namespace qgemm
