#pragma once
#include <cstddef>
#include <cstdint>

namespace qgemm {

/// CRC-32 of zip and gzip (polynomial 0xEDB88320, reflected). `seed` is the CRC of the bytes before these, 0 at the
/// start.
uint32_t crc32(const uint8_t* bytes, size_t count, uint32_t seed);

}  // namespace qgemm
