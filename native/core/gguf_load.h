// How block formats lie in memory: little-endian, at any address.
#pragma once
#include <cstdint>
#include <cstring>

#include "core/float16.h"

namespace qgemm {

inline uint16_t load_u16(const uint8_t* bytes) {
  uint16_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

inline uint32_t load_u32(const uint8_t* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

inline float load_f16(const uint8_t* bytes) { return float16_to_float32(load_u16(bytes)); }

inline float load_f32(const uint8_t* bytes) {
  float value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

inline int load_i8(const uint8_t* byte) { return static_cast<int8_t>(*byte); }

}  // namespace qgemm
