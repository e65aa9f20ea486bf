#pragma once
#include <cstddef>
#include <cstdint>

namespace qgemm {

/// Values as files store them compactly, one after another.

struct VarintRun {
  size_t consumed;  // bytes of whole varints
  size_t decoded;   // elements written
  bool malformed;   // the varint after them has more than 10 bytes
};

/// Protobuf varints to little-endian elements of element_bytes (1, 2, 4 or 8), higher bits dropped as protobuf does.
/// Stops after `count` elements, or before a varint that `size` bytes cut off.
VarintRun decode_varints(const uint8_t* bytes, size_t size, size_t element_bytes, size_t count, uint8_t* out);

/// out[i] = nibble i of packed, the low one of each byte first: 0..15, or -8..7 where is_signed.
void unpack_nibbles(const uint8_t* packed, size_t count, bool is_signed, uint8_t* out);

}  // namespace qgemm
