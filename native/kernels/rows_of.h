#pragma once
#include "kernels/kernel.h"

namespace qgemm {

static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/// The same call for at most `count` rows from `row` on.
static inline GemmU8S8Args rows_of(const GemmU8S8Args* args, size_t row, size_t count) {
  GemmU8S8Args part = *args;
  part.m = smaller(args->m - row, count);
  part.a += row * args->lda;
  part.c = static_cast<char*>(args->c) + row * args->ldc * (args->epilogue.output != nullptr ? 1 : 4);
  if (args->a_scales != nullptr) part.a_scales += row;
  if (args->a_zero_points != nullptr) part.a_zero_points += row;
  if (args->a_row_sums != nullptr) part.a_row_sums += row;
  if (args->epilogue.residual != nullptr) part.epilogue.residual += row * args->epilogue.ld_residual;
  return part;
}

/// Moves what a call points at by `columns`, a multiple of kPanelColumns.
static inline void move_columns(GemmU8S8Args* args, size_t columns) {
  args->b += columns / kPanelColumns * args->panel_stride;
  args->panel += columns / kPanelColumns;
  args->c = static_cast<char*>(args->c) + columns * (args->epilogue.output != nullptr ? 1 : 4);
  args->b_column_sums += columns;
  if (args->b_scales != nullptr) args->b_scales += columns;
  if (args->b_zero_points != nullptr) args->b_zero_points += columns;
  if (args->epilogue.bias != nullptr) args->epilogue.bias += columns;
  if (args->epilogue.residual != nullptr) args->epilogue.residual += columns;
}

/// The same call for at most `count` columns from `column` on, a multiple of kPanelColumns.
static inline GemmU8S8Args columns_of(const GemmU8S8Args* args, size_t column, size_t count) {
  GemmU8S8Args part = *args;
  part.n = smaller(args->n - column, count);
  move_columns(&part, column);
  return part;
}

/// Calls run(part) for kColumns columns after the other, and for what is left of them.
template <size_t kColumns, typename Run>
static inline void for_columns(const GemmU8S8Args* args, const Run& run) {
  if (args->n <= kColumns) return run(args);
  GemmU8S8Args part = *args;
  for (size_t left = args->n;; left -= kColumns) {
    part.n = smaller(left, kColumns);
    run(&part);
    if (left <= kColumns) return;
    move_columns(&part, kColumns);
  }
}

}  // namespace qgemm
