#pragma once
#include <cstddef>

#include "kernels/kernel.h"

namespace qgemm {

/// A tensor folded to [outer, axis, inner], row-major: one scale and zero point per index of `axis`. Per-tensor is
/// [1, 1, size]; per-channel is the product before the axis, the axis, the product after; groups of g along the last
/// axis are [1, size / g, g].
struct Slab {
  size_t outer, axis, inner;
  size_t size() const { return outer * axis * inner; }
};

enum : size_t { kPieceColumns = 1024 };

/// A rectangle of a slab, as kernels take it, starting at element `offset`. Column j belongs to channel
/// (first_channel + j / inner) % axis. `shape.columns` <= kPieceColumns where `shape.per_column`; otherwise all columns
/// belong to `first_channel`.
struct Piece {
  size_t offset;
  size_t first_channel;
  Rectangle shape;
};

/// Calls `visit(context, piece)` for pieces that cover the slab once, in parallel on the pool, in any order. Rows of
/// fewer than 32 elements per channel are put side by side, so that kernels get long rows whatever the shape.
void for_each_piece(const Slab& slab, void (*visit)(void* context, const Piece& piece), void* context);

}  // namespace qgemm
