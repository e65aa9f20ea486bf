// The bits of a float32 as an integer, and back.
#pragma once
#include <cstdint>
#include <cstring>

namespace qgemm {

inline uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float float_of(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace qgemm
