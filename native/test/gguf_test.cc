// Block formats of GGUF: each against its definition read bit by bit, with no access outside blocks and values.
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/float16.h"
#include "core/gguf_blocks.h"
#include "core/gguf_lattices.h"
#include "core/tensor_stats.h"
#include "test/guarded.h"
#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

// `count` bits at any bit of a block, little-endian.
uint32_t bits(const uint8_t* block, size_t byte, size_t bit, size_t count) {
  uint32_t value = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t at = byte * 8 + bit + i;
    value |= static_cast<uint32_t>(block[at / 8] >> (at % 8) & 1) << i;
  }
  return value;
}

float half_at(const uint8_t* block, size_t byte) {
  return float16_to_float32(static_cast<uint16_t>(bits(block, byte, 0, 16)));
}

int signed8(uint32_t value) { return static_cast<int8_t>(value); }

// The nibble of value i where each run of 2 * half values shares `half` bytes: low nibbles first.
uint32_t nibble(const uint8_t* block, size_t byte, size_t i, size_t half) {
  return bits(block, byte + i / (2 * half) * half + i % half, i % (2 * half) / half * 4, 4);
}

float q2_k(const uint8_t* b, size_t i) {
  const uint32_t code = bits(b, 16 + i / 128 * 32 + i % 32, i % 128 / 32 * 2, 2);
  return half_at(b, 80) * static_cast<float>(bits(b, i / 16, 0, 4)) * static_cast<float>(code) -
         half_at(b, 82) * static_cast<float>(bits(b, i / 16, 4, 4));
}

float q3_k(const uint8_t* b, size_t i) {
  const size_t group = i / 16;
  const uint32_t code = bits(b, 32 + i / 128 * 32 + i % 32, i % 128 / 32 * 2, 2) | bits(b, i % 32, i / 32, 1) << 2;
  const uint32_t scale = bits(b, 96 + group % 8, group / 8 * 4, 4) | bits(b, 104 + group % 4, group / 4 * 2, 2) << 4;
  return half_at(b, 108) * (static_cast<float>(scale) - 32) * (static_cast<float>(code) - 4);
}

float k_scaled(const uint8_t* b, size_t group, uint32_t code) {
  const uint32_t scale = group < 4 ? bits(b, 4 + group, 0, 6) : bits(b, 8 + group, 0, 4) | bits(b, group, 6, 2) << 4;
  const uint32_t min = group < 4 ? bits(b, 8 + group, 0, 6) : bits(b, 8 + group, 4, 4) | bits(b, 4 + group, 6, 2) << 4;
  return half_at(b, 0) * static_cast<float>(scale) * static_cast<float>(code) - half_at(b, 2) * static_cast<float>(min);
}

float q6_k(const uint8_t* b, size_t i) {
  const size_t half = i / 128, run = i % 128 / 32;
  const uint32_t low = bits(b, half * 64 + run % 2 * 32 + i % 32, run / 2 * 4, 4);
  const uint32_t code = low | bits(b, 128 + half * 32 + i % 32, run * 2, 2) << 4;
  const int scale = signed8(bits(b, 192 + i / 16, 0, 8));
  return half_at(b, 208) * static_cast<float>(scale) * (static_cast<float>(code) - 32);
}

const int kIq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

float iq4_xs(const uint8_t* b, size_t i) {
  const size_t group = i / 32;
  const uint32_t scale = bits(b, 4, group * 4, 4) | bits(b, 2, group * 2, 2) << 4;
  return half_at(b, 0) * (static_cast<float>(scale) - 32) * static_cast<float>(kIq4[nibble(b, 8, i, 16)]);
}

float q8_k(const uint8_t* b, size_t i) {
  const uint32_t d_bits = bits(b, 0, 0, 32);
  float d;
  std::memcpy(&d, &d_bits, sizeof d);
  return d * static_cast<float>(signed8(bits(b, 4 + i, 0, 8)));
}

float mxfp4(const uint8_t* b, size_t i) {
  const float magnitudes[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  const uint32_t code = nibble(b, 1, i, 16);
  const float magnitude = std::ldexp(magnitudes[code & 7], static_cast<int>(b[0]) - 127);
  return code > 8 ? -magnitude : magnitude;
}

float nvfp4(const uint8_t* b, size_t i) {
  const float magnitudes[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  const uint32_t code = nibble(b, 4, i, 8), scale = bits(b, i / 16, 0, 7);
  const int exponent = static_cast<int>(scale >> 3);
  const float significand = static_cast<float>(scale & 7) / 8 + (exponent == 0 ? 0.0f : 1.0f);
  const float d = b[i / 16] == 0x7f ? 0 : std::ldexp(significand, exponent == 0 ? -6 : exponent - 7);
  return code > 8 ? -(d * magnitudes[code & 7]) : d * magnitudes[code & 7];
}

// A byte is a fraction of 256, in base 3: the first digit is that of a third.
float tq1_0(const uint8_t* b, size_t i) {
  const size_t at = i < 160 ? i % 32 : i < 240 ? 32 + (i - 160) % 16 : 48 + (i - 240) % 4;
  const size_t place = i < 160 ? i / 32 : i < 240 ? (i - 160) / 16 : (i - 240) / 4;
  uint32_t fraction = b[at];
  for (size_t k = 0; k < place; ++k) fraction = fraction * 3 % 256;
  return half_at(b, 52) * (static_cast<float>(fraction * 3 / 256) - 1);
}

// The eighth sign makes their number even.
bool negative(uint32_t seven, size_t i) {
  uint32_t count = 0;
  for (size_t k = 0; k < 7; ++k) count += seven >> k & 1;
  return (i < 7 ? seven >> i & 1 : count % 2) != 0;
}

float iq2(const uint16_t* lattice, uint32_t code, size_t i, float d, uint32_t scale, bool minus) {
  const float values[3] = {8, 25, 43};
  const float value = d * (static_cast<float>(scale) + 0.5f) / 4 * values[lattice[code] >> (i % 8 * 2) & 3];
  return minus ? -value : value;
}

float iq2_xxs(const uint8_t* b, size_t i) {
  const size_t group = 2 + i / 32 * 8, part = i % 32 / 8;
  const bool minus = negative(bits(b, group + 4, part * 7, 7), i % 8);
  return iq2(kIq2XxsLattice, b[group + part], i, half_at(b, 0), bits(b, group + 4, 28, 4), minus);
}

float iq2_xs(const uint8_t* b, size_t i) {
  const bool minus = negative(bits(b, 2 + i / 8 * 2, 9, 7), i % 8);
  return iq2(kIq2XsLattice, bits(b, 2 + i / 8 * 2, 0, 9), i, half_at(b, 0), bits(b, 66, i / 16 * 4, 4), minus);
}

float iq2_s(const uint8_t* b, size_t i) {
  const uint32_t code = b[2 + i / 8] | bits(b, 66, i / 8 * 2, 2) << 8;
  return iq2(kIq2SLattice, code, i, half_at(b, 0), bits(b, 74, i / 16 * 4, 4), bits(b, 34, i, 1) != 0);
}

float iq3_xxs(const uint8_t* b, size_t i) {
  const float values[8] = {4, 12, 20, 28, 36, 44, 52, 62};
  const size_t group = 66 + i / 32 * 4;
  const float d = half_at(b, 0) * (static_cast<float>(bits(b, group, 28, 4)) + 0.5f) / 2;
  const float value = d * values[kIq3XxsLattice[b[2 + i / 4]] >> (i % 4 * 4) & 7];
  return negative(bits(b, group, i % 32 / 8 * 7, 7), i % 8) ? -value : value;
}

float iq3_s(const uint8_t* b, size_t i) {
  const uint32_t point = kIq3SLattice[b[2 + i / 4] | bits(b, 66, i / 4, 1) << 8];
  const float d = half_at(b, 0) * static_cast<float>(1 + 2 * bits(b, 106, i / 32 * 4, 4));
  const float value = d * static_cast<float>(1 + 2 * (point >> (i % 4 * 4) & 7));
  return bits(b, 74, i, 1) != 0 ? -value : value;
}

float iq1(float d, uint32_t code, size_t i, uint32_t scale, bool lower) {
  const float point = static_cast<float>(kIq1Lattice[code] >> (i % 8 * 2) & 3) - 1;
  return d * static_cast<float>(2 * scale + 1) * (point + (lower ? -0.125f : 0.125f));
}

float iq1_s(const uint8_t* b, size_t i) {
  const size_t packed = 34 + i / 32 * 2;
  const uint32_t code = b[2 + i / 8] | bits(b, packed, i % 32 / 8 * 3, 3) << 8;
  return iq1(half_at(b, 0), code, i, bits(b, packed, 12, 3), bits(b, packed, 15, 1) != 0);
}

float iq1_m(const uint8_t* b, size_t i) {
  uint32_t half = 0;
  for (size_t k = 0; k < 4; ++k) half |= bits(b, 48 + 2 * k, 12, 4) << (4 * k);
  const uint32_t code = b[i / 8] | bits(b, 32, i / 8 * 4, 3) << 8;
  const uint32_t scale = bits(b, 48 + i / 64 * 2, i % 64 / 16 * 3, 3);
  return iq1(float16_to_float32(static_cast<uint16_t>(half)), code, i, scale, bits(b, 32, i / 8 * 4 + 3, 1) != 0);
}

struct Definition {
  const char* name;
  std::vector<size_t> halves;  // where float16 fields lie
  std::function<float(const uint8_t*, size_t)> value;
};

const std::vector<Definition>& definitions() {
  static const std::vector<Definition> all = {
      {"Q4_0", {0}, [](auto b, auto i) { return half_at(b, 0) * (static_cast<float>(nibble(b, 2, i, 16)) - 8); }},
      {"Q4_1",
       {0, 2},
       [](auto b, auto i) { return half_at(b, 0) * static_cast<float>(nibble(b, 4, i, 16)) + half_at(b, 2); }},
      {"Q5_0",
       {0},
       [](auto b, auto i) {
         return half_at(b, 0) * (static_cast<float>(nibble(b, 6, i, 16) | bits(b, 2, i, 1) << 4) - 16);
       }},
      {"Q5_1",
       {0, 2},
       [](auto b, auto i) {
         return half_at(b, 0) * static_cast<float>(nibble(b, 8, i, 16) | bits(b, 4, i, 1) << 4) + half_at(b, 2);
       }},
      {"Q8_0", {0}, [](auto b, auto i) { return half_at(b, 0) * static_cast<float>(signed8(bits(b, 2 + i, 0, 8))); }},
      {"IQ4_NL", {0}, [](auto b, auto i) { return half_at(b, 0) * static_cast<float>(kIq4[nibble(b, 2, i, 16)]); }},
      {"Q2_K", {80, 82}, q2_k},
      {"Q3_K", {108}, q3_k},
      {"Q4_K", {0, 2}, [](auto b, auto i) { return k_scaled(b, i / 32, nibble(b, 16, i, 32)); }},
      {"Q5_K",
       {0, 2},
       [](auto b, auto i) { return k_scaled(b, i / 32, nibble(b, 48, i, 32) | bits(b, 16 + i % 32, i / 32, 1) << 4); }},
      {"Q6_K", {208}, q6_k},
      {"Q8_K", {}, q8_k},
      {"IQ4_XS", {0}, iq4_xs},
      {"MXFP4", {}, mxfp4},
      {"NVFP4", {}, nvfp4},
      {"TQ1_0", {52}, tq1_0},
      {"TQ2_0",
       {64},
       [](auto b, auto i) {
         return half_at(b, 64) * (static_cast<float>(bits(b, i / 128 * 32 + i % 32, i % 128 / 32 * 2, 2)) - 1);
       }},
      {"IQ1_S", {0}, iq1_s},
      {"IQ1_M", {54}, iq1_m},
      {"IQ2_XXS", {0}, iq2_xxs},
      {"IQ2_XS", {0}, iq2_xs},
      {"IQ2_S", {0}, iq2_s},
      {"IQ3_XXS", {0}, iq3_xxs},
      {"IQ3_S", {0}, iq3_s}};
  return all;
}

// Any bits, but scales that are finite.
void fill(const Definition& definition, const BlockFormat& format, size_t blocks, uint8_t* bytes, Random* random) {
  for (size_t i = 0; i < blocks * format.bytes; ++i) bytes[i] = static_cast<uint8_t>(random->bits());
  for (size_t block = 0; block < blocks; ++block) {
    for (const size_t at : definition.halves) bytes[block * format.bytes + at + 1] &= 0xbf;
    if (format.bytes == 292) bytes[block * format.bytes + 3] &= 0xbf;  // the float32 of Q8_K
  }
}

void check(const Definition& definition, size_t first, size_t count, Random* random) {
  const BlockFormat& format = *find_block_format(definition.name);
  const size_t blocks = (first + count + format.elements - 1) / format.elements;
  Guarded<uint8_t> input(blocks * format.bytes), output(count * sizeof(float));
  uint8_t* bytes = input.take(blocks * format.bytes);
  uint8_t* out = output.take(count * sizeof(float));
  fill(definition, format, blocks, bytes, random);
  dequantize_blocks(format, bytes, first, count, out);
  EXPECT(output.intact(), "%s: wrote before the values", definition.name);
  for (size_t i = 0; i < count; ++i) {
    const size_t at = first + i;
    const float expected = definition.value(bytes + at / format.elements * format.bytes, at % format.elements);
    float value;
    std::memcpy(&value, out + i * sizeof(float), sizeof value);
    EXPECT(std::memcmp(&value, &expected, sizeof value) == 0, "%s: value %zu is %g, expected %g", definition.name, at,
           static_cast<double>(value), static_cast<double>(expected));
  }
}

QGEMM_TEST(every_format_decodes_as_defined) {
  Random random;
  for (const Definition& definition : definitions()) {
    const size_t elements = find_block_format(definition.name)->elements;
    for (const size_t blocks : {1, 2, 67}) check(definition, 0, blocks * elements, &random);
  }
}

QGEMM_TEST(any_part_of_the_blocks) {
  Random random(1);
  for (const Definition& definition : definitions()) {
    check(definition, 0, 0, &random);
    for (int repeat = 0; repeat < 20; ++repeat) {
      check(definition, static_cast<size_t>(random.integer(0, 600)), static_cast<size_t>(random.integer(1, 40000)),
            &random);
    }
  }
}

QGEMM_TEST(names) {
  EXPECT(find_block_format("Q4_K")->bytes == 144, "bytes of Q4_K");
  EXPECT(find_block_format("q4_k") == nullptr && find_block_format("") == nullptr, "unknown names");
}

void check_q8(const std::vector<float>& x) {
  std::vector<uint8_t> out(x.size() / 32 * 34);
  EXPECT(quantize_q8_0(x.data(), x.size() / 32, false, out.data()) == Status::ok, "refused");
  for (size_t block = 0; block < x.size() / 32; ++block) {
    float amax = 0;
    for (size_t i = 0; i < 32; ++i) amax = std::fmax(amax, std::fabs(x[block * 32 + i]));
    const float d = amax / 127;
    const float inverse = d == 0 ? 0 : 1 / d;
    const uint8_t* bytes = out.data() + block * 34;
    EXPECT(bits(bytes, 0, 0, 16) == float32_to_float16(d), "scale of block %zu", block);
    for (size_t i = 0; i < 32; ++i) {
      const float expected = std::round(x[block * 32 + i] * inverse);
      EXPECT(signed8(bytes[2 + i]) == static_cast<int>(expected), "block %zu, value %zu: %d, expected %g", block, i,
             signed8(bytes[2 + i]), static_cast<double>(expected));
    }
  }
}

QGEMM_TEST(q8_0_rounds_half_away_from_zero) {
  Random random(2);
  std::vector<float> x(32 * 1500);
  for (float& value : x) value = random.real(-3, 3);
  for (size_t i = 0; i < 32; ++i) x[i] = 0;
  for (size_t i = 0; i < 64; ++i) x[32 + i] = static_cast<float>(i % 32) * 8 - 124.5f;
  x[32] = x[64] = 127;
  for (size_t i = 0; i < 31; ++i) x[96 + i] = std::nextafter(static_cast<float>(i) + 0.5f, i % 2 ? 0.0f : 99.0f);
  x[127] = -127;
  check_q8(x);
}

QGEMM_TEST(q8_0_refuses_or_clips_what_is_not_finite) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {inf, -inf, std::nanf(""), 9e6f}) {
    std::vector<float> x(96, 1.0f);
    x[40] = bad;
    std::vector<uint8_t> out(102);
    EXPECT(quantize_q8_0(x.data(), 3, false, out.data()) == Status::non_finite, "%g", static_cast<double>(bad));
    EXPECT(quantize_q8_0(x.data(), 3, true, out.data()) == Status::ok, "%g", static_cast<double>(bad));
    const int expected = std::isnan(bad) ? 0 : bad < 0 ? -127 : 127;
    EXPECT(signed8(out[34 + 2 + 8]) == expected, "%g: %d", static_cast<double>(bad), signed8(out[34 + 2 + 8]));
    EXPECT(signed8(out[34 + 2]) == (bad == 9e6f ? 0 : 127), "%g: its neighbour", static_cast<double>(bad));
  }
  const std::vector<float> tiny(32, 1e-44f);
  std::vector<uint8_t> out(34, 1);
  EXPECT(quantize_q8_0(tiny.data(), 1, false, out.data()) == Status::ok, "subnormal");
  for (const uint8_t byte : out) EXPECT(byte == 0, "subnormal: %d", byte);
}

// The nearest of the two float16 neighbours, by distance, and the even one of two that are equally near.
QGEMM_TEST(float16_rounds_half_to_even) {
  Random random(3);
  for (uint32_t half = 0; half < 0x7bffu; ++half) {
    const float lower = float16_to_float32(static_cast<uint16_t>(half));
    const float upper = float16_to_float32(static_cast<uint16_t>(half + 1));
    const float middle = lower + (upper - lower) / 2;
    const uint16_t even = static_cast<uint16_t>(half + (half & 1));
    EXPECT(float32_to_float16(lower) == half, "%x", half);
    EXPECT(float32_to_float16(middle) == even, "middle above %x", half);
    EXPECT(float32_to_float16(std::nextafter(middle, 0.0f)) == half, "below the middle above %x", half);
    EXPECT(float32_to_float16(-std::nextafter(middle, 1e6f)) == (0x8000u | (half + 1)), "above the middle of %x", half);
  }
  EXPECT(float32_to_float16(65519.996f) == 0x7bff && float32_to_float16(65520.0f) == 0x7c00, "overflow");
  EXPECT(float32_to_float16(-0.0f) == 0x8000 && float32_to_float16(1e-30f) == 0, "zeros");
}

QGEMM_TEST(float16_bytes_refuse_or_clip) {
  const float x[4] = {1.0f, 70000.0f, -std::numeric_limits<float>::infinity(), std::nanf("")};
  uint8_t bytes[8];
  EXPECT(!float16_to_bytes(x, 4, false, bytes) && float16_to_bytes(x, 1, false, bytes), "not refused");
  EXPECT(float16_to_bytes(x, 4, true, bytes), "refused");
  const uint8_t expected[8] = {0x00, 0x3c, 0xff, 0x7b, 0xff, 0xfb, 0x00, 0x00};
  EXPECT(std::memcmp(bytes, expected, 8) == 0, "clipped bytes");
}

}  // namespace
}  // namespace test
}  // namespace qgemm
