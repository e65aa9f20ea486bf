#include "core/slab.h"

#include <algorithm>

#include "core/thread_pool.h"

namespace qgemm {
namespace {

// Elements that one task handles: 128 KiB of float32, tens of microseconds.
constexpr size_t kTaskElements = 32768;
// Rows of a piece that has parameters per column: these are prepared once per piece.
constexpr size_t kMinRows = 32, kMaxRows = 256;

struct Walk {
  Slab slab;
  void (*visit)(void* context, const Piece& piece);
  void* context;
  size_t width;          // columns of one row of pieces
  size_t columns;        // columns of one piece
  size_t rows;           // rows of one piece
  size_t column_pieces;  // pieces side by side
};

// Long runs: a task is a stretch of memory, cut where the channel changes.
void visit_runs(void* walk_pointer, size_t index) {
  const Walk& walk = *static_cast<const Walk*>(walk_pointer);
  const size_t inner = walk.slab.inner;
  const size_t end = std::min(walk.slab.size(), (index + 1) * kTaskElements);
  for (size_t at = index * kTaskElements; at < end;) {
    const size_t length = std::min(inner - at % inner, end - at);
    walk.visit(walk.context, {at, at / inner % walk.slab.axis, {1, length, length, false}});
    at += length;
  }
}

// Short runs: a task is a block of rows of `width` elements times a block of columns.
void visit_columns(void* walk_pointer, size_t index) {
  const Walk& walk = *static_cast<const Walk*>(walk_pointer);
  const size_t column = index % walk.column_pieces * walk.columns;
  const size_t first_row = index / walk.column_pieces * walk.rows;
  const size_t whole_rows = walk.slab.size() / walk.width;
  const size_t rows = std::min(walk.rows, whole_rows - std::min(whole_rows, first_row));
  const size_t columns = std::min(walk.columns, walk.width - column);
  const size_t channel = column / walk.slab.inner % walk.slab.axis;
  if (rows != 0) {
    walk.visit(walk.context, {first_row * walk.width + column, channel, {rows, columns, walk.width, true}});
  }
  // What is left when rows of the tensor were put side by side and their number does not divide.
  const size_t rest = walk.slab.size() - whole_rows * walk.width;
  const bool last_rows = first_row + walk.rows > whole_rows;
  if (last_rows && column < rest) {
    const size_t rest_columns = std::min(walk.columns, rest - column);
    walk.visit(walk.context, {whole_rows * walk.width + column, channel, {1, rest_columns, rest_columns, true}});
  }
}

}  // namespace

void for_each_piece(const Slab& tensor, size_t min_run, void (*visit)(void* context, const Piece& piece),
                    void* context) {
  Walk walk{tensor, visit, context, 0, 0, 0, 0};
  Slab& slab = walk.slab;
  if (slab.size() == 0) return;
  if (slab.axis == 1) slab = {1, 1, slab.size()};
  ThreadPool& pool = ThreadPool::instance();
  if (slab.inner >= min_run || slab.size() == slab.inner) {
    pool.parallel_for((slab.size() + kTaskElements - 1) / kTaskElements, visit_runs, &walk);
    return;
  }
  const size_t row = slab.axis * slab.inner;
  const size_t side_by_side = std::min(slab.outer, std::max<size_t>(1, kPieceColumns / row));
  walk.width = row * side_by_side;
  walk.columns = std::min(walk.width, kPieceColumns / slab.inner * slab.inner);
  walk.column_pieces = (walk.width + walk.columns - 1) / walk.columns;
  const size_t whole_rows = slab.size() / walk.width;
  walk.rows = std::clamp<size_t>(whole_rows / 8, kMinRows, kMaxRows);
  const size_t row_pieces = whole_rows / walk.rows + 1;
  pool.parallel_for(row_pieces * walk.column_pieces, visit_columns, &walk);
}

}  // namespace qgemm
