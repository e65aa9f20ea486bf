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

/// The same call for at most `count` columns from `column` on, a multiple of kPanelColumns.
static inline GemmU8S8Args columns_of(const GemmU8S8Args* args, size_t column, size_t count) {
  GemmU8S8Args part = *args;
  part.n = smaller(args->n - column, count);
  part.b += column / kPanelColumns * args->panel_stride;
  part.panel += column / kPanelColumns;
  part.c = static_cast<char*>(args->c) + column * (args->epilogue.output != nullptr ? 1 : 4);
  part.b_column_sums += column;
  if (args->b_scales != nullptr) part.b_scales += column;
  if (args->b_zero_points != nullptr) part.b_zero_points += column;
  if (args->epilogue.bias != nullptr) part.epilogue.bias += column;
  if (args->epilogue.residual != nullptr) part.epilogue.residual += column;
  return part;
}

}  // namespace qgemm
