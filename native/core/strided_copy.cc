#include "core/strided_copy.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace qgemm {
namespace {

constexpr StridedDim kSingle = {1, 0, 0};
// Square blocks of a transposition: their rows on both sides stay in the L1 cache.
constexpr size_t kBlock = 32;

template <typename Element>
void copy_one(const uint8_t* source, uint8_t* target) {
  Element element;
  std::memcpy(&element, source, sizeof(Element));
  std::memcpy(target, &element, sizeof(Element));
}

template <typename Element>
void copy_line(const uint8_t* source, uint8_t* target, const StridedDim& line) {
  if (line.src_stride == 1 && line.dst_stride == 1) {
    std::memcpy(target, source, line.size * sizeof(Element));
    return;
  }
  for (size_t i = 0; i < line.size; ++i) {
    copy_one<Element>(source + i * line.src_stride * sizeof(Element), target + i * line.dst_stride * sizeof(Element));
  }
}

template <typename Element>
void copy_plane(const uint8_t* source, uint8_t* target, const StridedDim& rows, const StridedDim& columns) {
  if (columns.src_stride <= 1 && columns.dst_stride <= 1) {
    for (size_t i = 0; i < rows.size; ++i) {
      copy_line<Element>(source + i * rows.src_stride * sizeof(Element), target + i * rows.dst_stride * sizeof(Element),
                         columns);
    }
    return;
  }
  for (size_t i = 0; i < rows.size; i += kBlock) {
    for (size_t j = 0; j < columns.size; j += kBlock) {
      const size_t end = std::min(rows.size, i + kBlock);
      const StridedDim part = {std::min(kBlock, columns.size - j), columns.src_stride, columns.dst_stride};
      for (size_t row = i; row < end; ++row) {
        copy_line<Element>(source + (row * rows.src_stride + j * columns.src_stride) * sizeof(Element),
                           target + (row * rows.dst_stride + j * columns.dst_stride) * sizeof(Element), part);
      }
    }
  }
}

/// The last dimension is the column, the one before it the row; the others are counted like an odometer.
template <typename Element>
void copy_all(const uint8_t* source, uint8_t* target, const StridedDim* dims, size_t rank) {
  const StridedDim& columns = rank > 0 ? dims[rank - 1] : kSingle;
  const StridedDim& rows = rank > 1 ? dims[rank - 2] : kSingle;
  const size_t outer = rank > 2 ? rank - 2 : 0;
  size_t index[kMaxRank] = {};
  for (;;) {
    copy_plane<Element>(source, target, rows, columns);
    size_t d = outer;
    while (d > 0) {
      const StridedDim& dim = dims[d - 1];
      if (++index[d - 1] < dim.size) {
        source += dim.src_stride * sizeof(Element);
        target += dim.dst_stride * sizeof(Element);
        break;
      }
      index[d - 1] = 0;
      source -= (dim.size - 1) * dim.src_stride * sizeof(Element);
      target -= (dim.size - 1) * dim.dst_stride * sizeof(Element);
      --d;
    }
    if (d == 0) return;
  }
}

}  // namespace

bool strided_extent(const StridedDim* dims, size_t rank, bool target, size_t* extent) {
  size_t last = 0;
  for (size_t d = 0; d < rank; ++d) {
    if (dims[d].size != 0) continue;
    *extent = 0;
    return true;
  }
  for (size_t d = 0; d < rank; ++d) {
    const size_t stride = target ? dims[d].dst_stride : dims[d].src_stride;
    const size_t steps = dims[d].size - 1;
    if (stride != 0 && steps > (std::numeric_limits<size_t>::max() - 1 - last) / stride) return false;
    last += steps * stride;
  }
  *extent = last + 1;
  return true;
}

void strided_copy(const uint8_t* source, uint8_t* target, size_t element_bytes, StridedDim* dims, size_t rank) {
  for (size_t d = 0; d < rank; ++d) {
    if (dims[d].size == 0) return;
  }
  // Writing in order is worth more than reading in order. Beside it goes the dimension that is read in order.
  std::stable_sort(dims, dims + rank,
                   [](const StridedDim& a, const StridedDim& b) { return a.dst_stride > b.dst_stride; });
  if (rank > 2) {
    const auto closest = std::min_element(
        dims, dims + rank - 1, [](const StridedDim& a, const StridedDim& b) { return a.src_stride < b.src_stride; });
    std::swap(*closest, dims[rank - 2]);
  }
  switch (element_bytes) {
    case 1:
      return copy_all<uint8_t>(source, target, dims, rank);
    case 2:
      return copy_all<uint16_t>(source, target, dims, rank);
    case 4:
      return copy_all<uint32_t>(source, target, dims, rank);
    case 8:
      return copy_all<uint64_t>(source, target, dims, rank);
  }
}

}  // namespace qgemm
