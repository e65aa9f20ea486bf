#include "core/crc32.h"

#include <cstring>

namespace qgemm {
namespace {

/// entry[s][b]: the CRC of byte b followed by s zero bytes; eight bytes are looked up at a time.
struct Tables {
  uint32_t entry[8][256];

  constexpr Tables() : entry() {
    for (uint32_t b = 0; b < 256; ++b) {
      uint32_t crc = b;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0);
      entry[0][b] = crc;
    }
    for (int s = 1; s < 8; ++s) {
      for (uint32_t b = 0; b < 256; ++b) entry[s][b] = (entry[s - 1][b] >> 8) ^ entry[0][entry[s - 1][b] & 0xff];
    }
  }
};

constexpr Tables kTables;

}  // namespace

uint32_t crc32(const uint8_t* bytes, size_t count, uint32_t seed) {
  const auto& t = kTables.entry;
  uint32_t crc = ~seed;
  for (; count >= 8; count -= 8, bytes += 8) {
    uint32_t low, high;
    std::memcpy(&low, bytes, 4);
    std::memcpy(&high, bytes + 4, 4);
    low ^= crc;
    crc = t[7][low & 0xff] ^ t[6][(low >> 8) & 0xff] ^ t[5][(low >> 16) & 0xff] ^ t[4][low >> 24] ^ t[3][high & 0xff] ^
          t[2][(high >> 8) & 0xff] ^ t[1][(high >> 16) & 0xff] ^ t[0][high >> 24];
  }
  for (; count > 0; --count, ++bytes) crc = (crc >> 8) ^ t[0][(crc ^ *bytes) & 0xff];
  return ~crc;
}

}  // namespace qgemm
