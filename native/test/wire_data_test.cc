#include "core/wire_data.h"

#include <cstring>
#include <vector>

#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

void append_varint(uint64_t value, std::vector<uint8_t>* bytes) {
  for (; value > 0x7f; value >>= 7) bytes->push_back(static_cast<uint8_t>(value | 0x80));
  bytes->push_back(static_cast<uint8_t>(value));
}

uint64_t random_value(Random* random) { return random->bits() >> random->integer(0, 63); }

QGEMM_TEST(varints_of_every_length_become_elements_of_every_size) {
  Random random;
  for (const size_t element_bytes : {1, 2, 4, 8}) {
    std::vector<uint64_t> values = {0, 127, 128, UINT64_MAX, UINT64_C(1) << 63};
    for (int i = 0; i < 1000; ++i) values.push_back(random_value(&random));
    std::vector<uint8_t> bytes;
    for (const uint64_t value : values) append_varint(value, &bytes);
    std::vector<uint8_t> out(values.size() * element_bytes);
    const VarintRun run = decode_varints(bytes.data(), bytes.size(), element_bytes, values.size(), out.data());
    EXPECT(run.consumed == bytes.size() && run.decoded == values.size() && !run.malformed,
           "%zu-byte elements: %zu decoded", element_bytes, run.decoded);
    size_t wrong = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      for (size_t b = 0; b < element_bytes; ++b) {
        wrong += out[i * element_bytes + b] != static_cast<uint8_t>(values[i] >> (8 * b));
      }
    }
    EXPECT(wrong == 0, "%zu-byte elements: %zu wrong bytes", element_bytes, wrong);
  }
}

QGEMM_TEST(decoding_stops_before_a_varint_that_is_cut_off_and_goes_on_there) {
  Random random;
  std::vector<uint64_t> values(200);
  std::vector<uint8_t> bytes;
  for (uint64_t& value : values) append_varint(value = random_value(&random), &bytes);
  for (size_t piece = 10; piece < 40; ++piece) {
    std::vector<uint64_t> out(values.size());
    size_t at = 0, done = 0;
    while (done < values.size()) {
      const size_t size = bytes.size() - at < piece ? bytes.size() - at : piece;
      const VarintRun run = decode_varints(bytes.data() + at, size, 8, values.size() - done,
                                           reinterpret_cast<uint8_t*>(out.data() + done));
      EXPECT(run.decoded > 0 && !run.malformed && run.consumed <= size, "pieces of %zu: stopped at byte %zu", piece,
             at);
      if (run.decoded == 0) return;
      at += run.consumed;
      done += run.decoded;
    }
    EXPECT(at == bytes.size() && out == values, "pieces of %zu: other values", piece);
  }
}

QGEMM_TEST(a_varint_beyond_ten_bytes_is_malformed_and_output_is_never_exceeded) {
  std::vector<uint8_t> bytes(20, 0x80);
  bytes[0] = 7;
  uint8_t out[3] = {1, 2, 3};
  const VarintRun run = decode_varints(bytes.data(), bytes.size(), 1, 2, out);
  EXPECT(run.malformed && run.consumed == 1 && run.decoded == 1, "%zu bytes made %zu elements", run.consumed,
         run.decoded);
  EXPECT(out[0] == 7 && out[1] == 2, "wrote %d, %d", out[0], out[1]);
  const std::vector<uint8_t> ones(10, 1);
  const VarintRun full = decode_varints(ones.data(), ones.size(), 1, 2, out);
  EXPECT(full.consumed == 2 && full.decoded == 2 && out[2] == 3, "%zu bytes made %zu elements", full.consumed,
         full.decoded);
  EXPECT(decode_varints(nullptr, 0, 4, 5, nullptr).decoded == 0, "no bytes made elements");
}

QGEMM_TEST(nibbles_low_half_first_signed_and_unsigned) {
  const uint8_t packed[2] = {0x8f, 0xf7};
  uint8_t out[4];
  unpack_nibbles(packed, 3, false, out);
  EXPECT(out[0] == 15 && out[1] == 8 && out[2] == 7, "got %d, %d, %d", out[0], out[1], out[2]);
  unpack_nibbles(packed, 4, true, out);
  const int8_t expected[4] = {-1, -8, 7, -1};
  EXPECT(std::memcmp(out, expected, sizeof(out)) == 0, "got %d, %d, %d, %d", out[0], out[1], out[2], out[3]);
}

}  // namespace
}  // namespace test
}  // namespace qgemm
