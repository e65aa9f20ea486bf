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
/// (first_channel + j / inner) % axis; with `shape.per_column` there are at most kPieceColumns columns, a multiple of
/// `inner`. Otherwise all columns belong to `first_channel`.
struct Piece {
  size_t offset;
  size_t first_channel;
  Rectangle shape;
};

/// Calls fn(channel, column, columns) for the channels of a piece, in the order of its columns; where all columns share
/// a channel there is one call, for one column.
template <typename Fn>
void for_each_channel(const Slab& slab, const Piece& piece, const Fn& fn) {
  if (!piece.shape.per_column) {
    fn(piece.first_channel, size_t{0}, size_t{1});
    return;
  }
  size_t channel = piece.first_channel;
  for (size_t column = 0; column < piece.shape.columns; column += slab.inner) {
    fn(channel, column, slab.inner);
    if (++channel == slab.axis) channel = 0;
  }
}

/// Calls `visit(context, piece)` for pieces that cover the slab once, in parallel on the pool, in any order. Channels
/// of `min_run` contiguous elements or more are pieces of their own; shorter ones, and short rows, are put side by
/// side, so that kernels get long rows whatever the shape.
void for_each_piece(const Slab& slab, size_t min_run, void (*visit)(void* context, const Piece& piece), void* context);

}  // namespace qgemm
