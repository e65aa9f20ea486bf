// matmul_integer (ONNX MatMulInteger) against its definition, modulo 2^32.
#include <vector>

#include "core/gemm.h"
#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

struct Operand {
  std::vector<uint8_t> bytes;
  bool is_signed;
  int32_t zero_point;

  Operand(size_t count, bool is_signed, bool corners, Random* random) : bytes(count), is_signed(is_signed) {
    for (uint8_t& byte : bytes)
      byte = static_cast<uint8_t>(corners ? (random->chance(2) ? 0x80 : 0x7f) : random->bits());
    const int32_t lo = is_signed ? -128 : 0;
    zero_point = static_cast<int32_t>(corners ? (random->chance(2) ? lo : lo + 255) : random->integer(lo, lo + 255));
  }
  uint32_t at(size_t i) const {
    const int32_t value = is_signed ? static_cast<int8_t>(bytes[i]) : bytes[i];
    return static_cast<uint32_t>(value - zero_point);
  }
};

void check(size_t m, size_t n, size_t k, Random* random) {
  for (int mix = 0; mix < 4; ++mix) {
    const Operand a(m * k, (mix & 1) != 0, random->chance(3), random);
    const Operand b(k * n, (mix & 2) != 0, random->chance(3), random);
    std::vector<int32_t> c(m * n, 0x5a5a5a5a);
    const Status status = matmul_integer(a.bytes.data(), a.is_signed, b.bytes.data(), b.is_signed, m, n, k,
                                         a.zero_point, b.zero_point, c.data());
    EXPECT(status == Status::ok, "status %d", static_cast<int>(status));
    for (size_t i = 0; i < m; ++i) {
      for (size_t j = 0; j < n; ++j) {
        uint32_t sum = 0;
        for (size_t l = 0; l < k; ++l) sum += a.at(i * k + l) * b.at(l * n + j);
        EXPECT(static_cast<uint32_t>(c[i * n + j]) == sum, "m=%zu n=%zu k=%zu a %s b %s: c[%zu, %zu] = %d, expected %d",
               m, n, k, a.is_signed ? "int8" : "uint8", b.is_signed ? "int8" : "uint8", i, j, c[i * n + j],
               static_cast<int32_t>(sum));
      }
    }
  }
}

QGEMM_TEST(small_shapes) {
  Random random;
  for (size_t m = 0; m <= 9; ++m) {
    for (const size_t n : {0, 1, 31, 32, 33, 70}) {
      for (const size_t k : {0, 1, 3, 4, 5, 63, 64, 65, 200}) check(m, n, k, &random);
    }
  }
}

QGEMM_TEST(sums_wrap_modulo_two_to_the_32) {
  Random random(1);
  check(2, 3, 70000, &random);  // 70000 * 255 * 255 is beyond 2^32
}

}  // namespace
}  // namespace test
}  // namespace qgemm
