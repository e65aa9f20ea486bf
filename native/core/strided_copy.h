#pragma once
#include <cstddef>
#include <cstdint>

namespace qgemm {

/// Most dimensions that strided_copy takes.
constexpr size_t kMaxRank = 64;

/// One dimension of a copy; strides in elements.
struct StridedDim {
  size_t size;
  size_t src_stride;
  size_t dst_stride;
};

/// The highest index that a walk over `dims` reaches, on the source or the target side, plus one: how many elements
/// must be there. 0 when a dimension is empty. False when it does not fit size_t.
bool strided_extent(const StridedDim* dims, size_t rank, bool target, size_t* extent);

/// target[sum i_d * dst_stride_d] = source[sum i_d * src_stride_d] for all indices. Elements have 1, 2, 4 or 8 bytes at
/// any address. `rank` <= kMaxRank; `dims` is reordered.
void strided_copy(const uint8_t* source, uint8_t* target, size_t element_bytes, StridedDim* dims, size_t rank);

}  // namespace qgemm
