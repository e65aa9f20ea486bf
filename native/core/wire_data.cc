#include "core/wire_data.h"

namespace qgemm {

VarintRun decode_varints(const uint8_t* bytes, size_t size, size_t element_bytes, size_t count, uint8_t* out) {
  VarintRun run = {0, 0, false};
  while (run.decoded < count) {
    uint64_t value = 0;
    size_t length = 0;
    bool complete = false;
    while (!complete && run.consumed + length < size) {
      if (length == 10) {
        run.malformed = true;
        return run;
      }
      const uint8_t byte = bytes[run.consumed + length];
      value |= static_cast<uint64_t>(byte & 0x7f) << (7 * length);
      complete = byte < 0x80;
      ++length;
    }
    if (!complete) break;
    for (size_t i = 0; i < element_bytes; ++i) *out++ = static_cast<uint8_t>(value >> (8 * i));
    run.consumed += length;
    ++run.decoded;
  }
  return run;
}

void unpack_nibbles(const uint8_t* packed, size_t count, bool is_signed, uint8_t* out) {
  const int sign = is_signed ? 8 : 0;
  for (size_t i = 0; i < count; ++i) {
    const int nibble = (packed[i / 2] >> (4 * (i % 2))) & 15;
    out[i] = static_cast<uint8_t>((nibble ^ sign) - sign);
  }
}

}  // namespace qgemm
