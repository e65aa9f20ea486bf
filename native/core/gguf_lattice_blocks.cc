#include "core/gguf_lattice_blocks.h"

#include "core/gguf_lattices.h"
#include "core/gguf_load.h"

namespace qgemm {
namespace {

constexpr float kIq2Values[4] = {8, 25, 43, 0};  // no point has a fourth
constexpr float kIq3XxsValues[8] = {4, 12, 20, 28, 36, 44, 52, 62};

// Seven signs; the eighth makes the number of negative values even.
int eight_signs(uint32_t seven) {
  uint32_t parity = seven;
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return static_cast<int>(seven | (parity & 1) << 7);
}

float with_sign(float value, int signs, int i) { return (signs >> i & 1) != 0 ? -value : value; }

void put_iq2(float scale, uint16_t point, int signs, float* out) {
  for (int i = 0; i < 8; ++i) out[i] = with_sign(scale * kIq2Values[point >> (2 * i) & 3], signs, i);
}

// Two points of four values.
void put_iq3_xxs(float scale, uint16_t first, uint16_t second, int signs, float* out) {
  for (int i = 0; i < 4; ++i) {
    out[i] = with_sign(scale * kIq3XxsValues[first >> (4 * i) & 7], signs, i);
    out[4 + i] = with_sign(scale * kIq3XxsValues[second >> (4 * i) & 7], signs, 4 + i);
  }
}

void put_iq3_s(float scale, uint16_t first, uint16_t second, int signs, float* out) {
  for (int i = 0; i < 4; ++i) {
    out[i] = with_sign(scale * static_cast<float>((first >> (4 * i) & 7) * 2 + 1), signs, i);
    out[4 + i] = with_sign(scale * static_cast<float>((second >> (4 * i) & 7) * 2 + 1), signs, 4 + i);
  }
}

void put_iq1(float scale, uint16_t point, bool below, float* out) {
  const float delta = below ? -0.125f : 0.125f;
  for (int i = 0; i < 8; ++i) out[i] = scale * (static_cast<float>((point >> (2 * i) & 3) - 1) + delta);
}

int nibble(const uint8_t* bytes, int i) { return bytes[i / 2] >> (i % 2 * 4) & 15; }

float half_scale(float d, int code) { return d * (0.5f + static_cast<float>(code)); }

}  // namespace

// d, then for each 32 values four bytes of points and four of four times seven signs and a scale of 4 bits.
void dequantize_iq2_xxs(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int sub_block = 0; sub_block < 8; ++sub_block) {
    const uint8_t* points = block + 2 + sub_block * 8;
    const uint32_t signs = load_u32(points + 4);
    const float scale = half_scale(d, static_cast<int>(signs >> 28)) * 0.25f;
    for (int i = 0; i < 4; ++i, out += 8) {
      put_iq2(scale, kIq2XxsLattice[points[i]], eight_signs(signs >> (7 * i) & 127), out);
    }
  }
}

// d, 32 times a point of 9 bits with seven signs, 16 scales of 4 bits.
void dequantize_iq2_xs(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 32; ++i, out += 8) {
    const uint32_t code = load_u16(block + 2 + 2 * i);
    const float scale = half_scale(d, nibble(block + 66, i / 2)) * 0.25f;
    put_iq2(scale, kIq2XsLattice[code & 511], eight_signs(code >> 9), out);
  }
}

// d, 32 bytes of points, 32 of signs, 8 of the upper two bits of the points, 16 scales of 4 bits.
void dequantize_iq2_s(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 32; ++i, out += 8) {
    const int high = block[66 + i / 4] >> (i % 4 * 2) & 3;
    const float scale = half_scale(d, nibble(block + 74, i / 2)) * 0.25f;
    put_iq2(scale, kIq2SLattice[block[2 + i] | high << 8], block[34 + i], out);
  }
}

// d, 64 bytes of points of four values, then for each 32 values four times seven signs and a scale of 4 bits.
void dequantize_iq3_xxs(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int sub_block = 0; sub_block < 8; ++sub_block) {
    const uint8_t* points = block + 2 + sub_block * 8;
    const uint32_t signs = load_u32(block + 66 + sub_block * 4);
    const float scale = half_scale(d, static_cast<int>(signs >> 28)) * 0.5f;
    for (int i = 0; i < 4; ++i, out += 8) {
      put_iq3_xxs(scale, kIq3XxsLattice[points[2 * i]], kIq3XxsLattice[points[2 * i + 1]],
                  eight_signs(signs >> (7 * i) & 127), out);
    }
  }
}

// d, 64 bytes of points of four values, 8 of their ninth bits, 32 of signs, 8 scales of 4 bits.
void dequantize_iq3_s(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 32; ++i, out += 8) {
    const uint8_t* points = block + 2 + 2 * i;
    const int high = block[66 + i / 4] >> (i % 4 * 2);
    const float scale = d * static_cast<float>(1 + 2 * nibble(block + 106, i / 4));
    put_iq3_s(scale, kIq3SLattice[points[0] | (high & 1) << 8], kIq3SLattice[points[1] | (high >> 1 & 1) << 8],
              block[74 + i], out);
  }
}

// d, 32 bytes of points, then for each 32 values four times three upper bits of the points, a scale of 3 bits, and
// whether the values are an eighth lower or higher.
void dequantize_iq1_s(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 32; ++i, out += 8) {
    const int packed = load_u16(block + 34 + i / 4 * 2);
    const int high = packed >> (i % 4 * 3) & 7;
    const float scale = d * static_cast<float>(2 * (packed >> 12 & 7) + 1);
    put_iq1(scale, kIq1Lattice[block[2 + i] | high << 8], packed >> 15 != 0, out);
  }
}

// 32 bytes of points; for each three upper bits and whether its values are lower, in a nibble; four numbers of 16 bits,
// each with four scales of 3 bits and a quarter of d.
void dequantize_iq1_m(const uint8_t* block, float* out) {
  uint32_t half = 0;
  for (int i = 0; i < 4; ++i) half |= static_cast<uint32_t>(load_u16(block + 48 + 2 * i) >> 12) << (4 * i);
  const float d = float16_to_float32(static_cast<uint16_t>(half));
  for (int i = 0; i < 32; ++i, out += 8) {
    const int packed = nibble(block + 32, i);
    const int scales = load_u16(block + 48 + i / 8 * 2);
    const float scale = d * static_cast<float>(2 * (scales >> (i % 8 / 2 * 3) & 7) + 1);
    put_iq1(scale, kIq1Lattice[block[i] | (packed & 7) << 8], packed >> 3 != 0, out);
  }
}

}  // namespace qgemm
