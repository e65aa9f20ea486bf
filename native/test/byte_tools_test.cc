// Strided copies against one element at a time, with no access outside; CRC-32 against its definition.
#include <cstring>
#include <limits>
#include <vector>

#include "core/crc32.h"
#include "core/strided_copy.h"
#include "test/guarded.h"
#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

size_t extent(const std::vector<StridedDim>& dims, bool target) {
  size_t result = 0;
  EXPECT(strided_extent(dims.data(), dims.size(), target, &result), "the extent fits");
  return result;
}

void copy_each(const uint8_t* source, uint8_t* target, size_t bytes, const std::vector<StridedDim>& dims, size_t d,
               size_t from, size_t to) {
  if (d == dims.size()) {
    std::memcpy(target + to * bytes, source + from * bytes, bytes);
    return;
  }
  for (size_t i = 0; i < dims[d].size; ++i) {
    copy_each(source, target, bytes, dims, d + 1, from + i * dims[d].src_stride, to + i * dims[d].dst_stride);
  }
}

// A row-major target whose dimensions lie in the source in any order, apart from each other, or repeated.
std::vector<StridedDim> random_dims(Random* random, int64_t largest) {
  std::vector<StridedDim> dims(static_cast<size_t>(random->integer(0, 4)));
  for (StridedDim& dim : dims) dim.size = static_cast<size_t>(random->integer(random->chance(20) ? 0 : 1, largest));
  size_t stride = 1;
  for (size_t d = dims.size(); d-- > 0; stride *= dims[d].size) dims[d].dst_stride = stride;
  std::vector<size_t> order(dims.size());
  for (size_t d = 0; d < order.size(); ++d) order[d] = d;
  for (size_t d = order.size(); d > 1; --d) {
    std::swap(order[d - 1], order[static_cast<size_t>(random->integer(0, static_cast<int64_t>(d) - 1))]);
  }
  stride = 1;
  for (const size_t d : order) {
    dims[d].src_stride = random->chance(8) ? 0 : stride;
    if (dims[d].src_stride != 0) stride = stride * dims[d].size + static_cast<size_t>(random->integer(0, 2));
  }
  return dims;
}

QGEMM_TEST(strided_copies_are_those_of_one_element_at_a_time) {
  Random random;
  const int cases = slow_cpu() ? 100 : 2000;
  for (int i = 0; i < cases; ++i) {
    const std::vector<StridedDim> dims = random_dims(&random, i % 20 == 0 ? 40 : 7);
    for (const size_t bytes : {1, 2, 4, 8}) {
      const size_t source_bytes = extent(dims, false) * bytes;
      const size_t target_bytes = extent(dims, true) * bytes;
      // The end of each is the end of accessible memory; odd sizes before it make the start unaligned.
      Guarded<uint8_t> source_memory(source_bytes), target_memory(target_bytes);
      uint8_t* source = source_memory.take(source_bytes);
      uint8_t* target = target_memory.take(target_bytes);
      for (size_t b = 0; b < source_bytes; ++b) source[b] = static_cast<uint8_t>(random.bits());
      if (target_bytes > 0) std::memset(target, 0x55, target_bytes);
      std::vector<uint8_t> expected(target_bytes, 0x55);
      copy_each(source, expected.data(), bytes, dims, 0, 0, 0);
      std::vector<StridedDim> reordered = dims;
      strided_copy(source, target, bytes, reordered.data(), reordered.size());
      EXPECT(target_bytes == 0 || std::memcmp(target, expected.data(), target_bytes) == 0,
             "case %d, %zu bytes, %zu dimensions", i, bytes, dims.size());
      EXPECT(target_memory.intact(), "case %d, %zu bytes: written before the target", i, bytes);
    }
  }
}

QGEMM_TEST(extents_that_do_not_fit_are_refused) {
  constexpr size_t kMax = std::numeric_limits<size_t>::max();
  size_t result = 0;
  const StridedDim huge[] = {{kMax, 2, 1}};
  EXPECT(!strided_extent(huge, 1, false, &result), "2 * (2^64 - 2) does not fit");
  EXPECT(strided_extent(huge, 1, true, &result) && result == kMax, "2^64 - 1 elements fit");
  const StridedDim sum[] = {{2, kMax - 2, 1}, {3, 1, 1}};
  EXPECT(!strided_extent(sum, 2, false, &result), "the sum does not fit");
  const StridedDim empty[] = {{kMax, kMax, 1}, {0, 1, 1}};
  EXPECT(strided_extent(empty, 2, false, &result) && result == 0, "nothing is reached");
  EXPECT(strided_extent(nullptr, 0, false, &result) && result == 1, "no dimensions: one element");
}

uint32_t crc32_by_bits(const uint8_t* bytes, size_t count) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < count; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
  }
  return ~crc;
}

QGEMM_TEST(crc32_is_that_of_zip_and_continues) {
  const uint8_t* check = reinterpret_cast<const uint8_t*>("123456789");
  EXPECT(crc32(check, 9, 0) == 0xCBF43926u, "the check value of the polynomial");
  Random random;
  std::vector<uint8_t> bytes(300);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.bits());
  for (size_t start = 0; start < 9; ++start) {
    for (size_t count = 0; start + count <= bytes.size(); count += count < 20 ? 1 : 17) {
      const uint32_t expected = crc32_by_bits(bytes.data() + start, count);
      const size_t half = count / 3;
      EXPECT(crc32(bytes.data() + start, count, 0) == expected, "%zu bytes from %zu", count, start);
      const uint32_t first = crc32(bytes.data() + start, half, 0);
      EXPECT(crc32(bytes.data() + start + half, count - half, first) == expected, "%zu bytes in two parts", count);
    }
  }
}

}  // namespace
}  // namespace test
}  // namespace qgemm
