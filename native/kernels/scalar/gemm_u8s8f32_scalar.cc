// gemm_u8s8f32_16x32c4_scalar: the kernel that every CPU can run, written for the compiler's vectoriser.
// Instructions: sums of products of int16 along k, which compilers know as pmaddwd (SSE2) and smlal (Arm). For that, a
// panel is widened to int16 with the k of each column side by side, once per 256 steps of k (16 KiB), and so is each
// row. Tile: 16 rows x 32 columns (one panel), sums in memory (L1); one row meets four columns at a time. Panel:
// [k/4][32][4] int8.
#include "kernels/kernel.h"
#include "kernels/vec/scalar.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"

namespace qgemm {
namespace {  // internal linkage: other files have functions of these names too

constexpr size_t kRows = 16;
constexpr size_t kDepth = 256;  // sums of so many products are far from 2^31

static void widen_panel(const int8_t* b, size_t depth, int16_t* w) {
  for (size_t k = 0; k < depth; k += 4) {
    int16_t step[4 * kPanelColumns];
    for (size_t i = 0; i < 4 * kPanelColumns; ++i) step[i] = b[k * kPanelColumns + i];
    for (size_t j = 0; j < kPanelColumns; ++j) memcpy(w + j * kDepth + k, step + 4 * j, 4 * sizeof *step);
  }
}

static void widen_row(const uint8_t* a, size_t depth, int16_t* x) {
  for (size_t k = 0; k < depth; ++k) x[k] = a[k];
}

// Unsigned: sums wrap modulo 2^32, which int32 may not.
static void add(int32_t* sum, int32_t products) {
  *sum = static_cast<int32_t>(static_cast<uint32_t>(*sum) + static_cast<uint32_t>(products));
}

// One row x four columns.
static void accumulate(const int16_t* a, const int16_t* w, size_t depth, int32_t* sums) {
  int32_t products[4] = {0, 0, 0, 0};
  for (size_t k = 0; k < depth; ++k) {
    products[0] += a[k] * w[k];
    products[1] += a[k] * w[k + kDepth];
    products[2] += a[k] * w[k + 2 * kDepth];
    products[3] += a[k] * w[k + 3 * kDepth];
  }
  for (size_t j = 0; j < 4; ++j) add(sums + j, products[j]);
}

}  // namespace

void gemm_u8s8f32_16x32c4_scalar(const GemmU8S8Args* args) {
  int32_t tile[kRows * kPanelColumns] = {0};
  alignas(32) int16_t w[kPanelColumns * kDepth];
  alignas(32) int16_t a[kDepth];
  for (size_t k0 = 0; k0 < args->k; k0 += kDepth) {
    const size_t depth = args->k - k0 < kDepth ? args->k - k0 : size_t{kDepth};
    widen_panel(args->b + k0 * kPanelColumns, depth, w);
    for (size_t i = 0; i < args->m; ++i) {
      widen_row(args->a + i * args->lda + k0, depth, a);
      for (size_t j = 0; j < kPanelColumns; j += 4) {
        accumulate(a, w + j * kDepth, depth, tile + i * kPanelColumns + j);
      }
    }
  }
  epilogue_u8s8(tile, kPanelColumns, args);
}

}  // namespace qgemm
