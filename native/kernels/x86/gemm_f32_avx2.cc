// gemm_f32_{6x32, 1x64}c1_avx2
// Instructions: vfmadd231ps ymm, vbroadcastss from memory.
// Tile 6x32: six rows are one tile of many, which find the panel near: 16 columns at a time, 12 accumulators + 2
// weights + 1 activation = 15 of 16 registers; per step of k 2 + 6 loads for 12 fma, 64 bytes of them from the panel.
// It can pause between steps of k, and asks for what comes next, four cache lines at a time. Fewer rows read it from
// far, and as one stream: up to three rows at a time, 12 accumulators + 3 activations + 1 weight; the second time the
// panel is near. Where asking pays, four and five rows find it near too. A comes packed [k][6], or as it lies, [m][k].
// Tile 1x64: 8 accumulators over two panels. Panel: [k][32] float32; 16 columns are two operands.
#include "kernels/is_plain.h"
#include "kernels/kernel.h"
#include "kernels/rows_of.h"
#include "kernels/vec/avx2.h"
#include "kernels/x86/ask_next.h"
#include "kernels/x86/rows_f32.h"
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
#include "kernels/tile_switch.h"

namespace qgemm {

namespace {  // internal linkage: another file has a Tile too

// What a tile asks for while it multiplies: nothing; args->next; or what it reads itself some bytes later, or many,
// into the level-2 cache, with the line behind it, which the next tile reads.
enum Ask { kNothing, kNext, kAhead, kFarAhead };
constexpr size_t kBytesAhead = 1024;

// kRows rows x kGroups groups of 16 columns.
template <int kRows, int kGroups, Layout kLayout, Ask kAsk>
struct AnyTile {
  static void run(const GemmF32Args* args) {
    constexpr int kVectors = 2 * kGroups;
    __m256 sums[kRows][kVectors];
    constexpr bool kPauses = kAsk == kNext || kAsk == kFarAhead;
    const bool resume = kPauses && args->resume, pause = kPauses && args->pause;
    const float* from = args->sums;
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        sums[i][v] = resume ? _mm256_load_ps(from + i * kPanelColumns + v * 8) : _mm256_setzero_ps();
      }
    }
    Rows<kRows, kLayout> a(args);
    const float* b = args->b;
    const char* next = args->next;
    const size_t panel_stride = args->panel_stride;
    const float* const end = b + args->k * kPanelColumns;
    while (b != end) {
      const float* stop = end;
      if (kAsk == kNext && next != nullptr) {
        next = ask_for_next(args, next);
        if (end - b > ptrdiff_t{kStepsOfAsking * kPanelColumns}) stop = b + kStepsOfAsking * kPanelColumns;
      }
      do {
        if (kAsk == kAhead) {
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; v += 2) {
            const float* line = b + (v / 4) * panel_stride + (v % 4) * 8;
            _mm_prefetch(reinterpret_cast<const char*>(line) + kBytesAhead, _MM_HINT_T0);
          }
        }
        if (kAsk == kFarAhead) {
          prefetch_l2(reinterpret_cast<const char*>(b) + kFarBytes);
          prefetch_l2(reinterpret_cast<const char*>(b) + kFarBytes + 64);
        }
        if (kRows < kVectors) {
          __m256 x[kRows];
#pragma GCC unroll 8
          for (int i = 0; i < kRows; ++i) x[i] = _mm256_set1_ps(a[i]);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) {
            const __m256 w = _mm256_load_ps(b + (v / 4) * panel_stride + (v % 4) * 8);
#pragma GCC unroll 8
            for (int i = 0; i < kRows; ++i) sums[i][v] = _mm256_fmadd_ps(x[i], w, sums[i][v]);
          }
        } else {
          __m256 w[kVectors];
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) w[v] = _mm256_load_ps(b + (v / 4) * panel_stride + (v % 4) * 8);
#pragma GCC unroll 8
          for (int i = 0; i < kRows; ++i) {
            const __m256 x = _mm256_set1_ps(a[i]);
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) sums[i][v] = _mm256_fmadd_ps(x, w[v], sums[i][v]);
          }
        }
        a.next_step();
        b += kPanelColumns;
      } while (b != stop);
    }
    if (!pause && args->n == kVectors * kLanes && is_plain(args->epilogue)) {
      const float* bias = args->epilogue.bias;
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        float* c = static_cast<float*>(args->c) + i * args->ldc;
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          const __m256 y = sums[i][v];
          _mm256_storeu_ps(c + v * kLanes, bias == nullptr ? y : _mm256_add_ps(y, _mm256_loadu_ps(bias + v * kLanes)));
        }
      }
      return;
    }
    alignas(32) float tile[kRows * kGroups * 16];
    float* to = pause ? args->sums : tile;
    const size_t ld = pause ? size_t{kPanelColumns} : kGroups * 16;
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) _mm256_store_ps(to + i * ld + v * 8, sums[i][v]);
    }
    if (!pause) epilogue_f32(tile, kGroups * 16, args);
  }
};

template <int kRows, int>
using Tile = AnyTile<kRows, 1, kPacked, kNext>;
template <int kRows, int>
using FarTile = AnyTile<kRows, 1, kPacked, kFarAhead>;
template <int kRows, int>
using StridedTile = AnyTile<kRows, 1, kStrided, kNext>;
template <int kRows, int>
using TwoGroups = AnyTile<kRows, 2, kPacked, kNext>;
template <int kRows, int>
using StridedTwoGroups = AnyTile<kRows, 2, kStrided, kNext>;
template <int kRows, int kGroups>
using WideTile = AnyTile<kRows, kGroups, kStrided, kNothing>;
template <int kRows, int kGroups>
using WideTileAskingAhead = AnyTile<kRows, kGroups, kStrided, kAhead>;

// Up to `rows` rows and `columns` columns of a tile.
static inline GemmF32Args part_of(const GemmF32Args* args, size_t row, size_t rows, size_t column, size_t columns) {
  GemmF32Args part = *args;
  part.m = smaller(args->m - row, rows);
  part.n = smaller(args->n - column, columns);
  part.a += row * args->row_stride;
  part.b += column;
  if (args->sums != nullptr) part.sums += row * kPanelColumns + column;
  const size_t value_bytes = args->epilogue.output != nullptr ? 1 : sizeof(float);
  part.c = static_cast<char*>(args->c) + (row * args->ldc + column) * value_bytes;
  if (args->epilogue.bias != nullptr) part.epilogue.bias += column;
  if (args->epilogue.residual != nullptr) part.epilogue.residual += row * args->epilogue.ld_residual + column;
  return part;
}

}  // namespace

void gemm_f32_6x32c1_avx2(const GemmF32Args* args) {
  const bool packed = args->row_stride == 1;
  const bool few = args->m < (args->ask_ahead ? 4 : 6) && args->n > 16;
  const size_t rows = few && args->m > 3 ? (args->m + 1) / 2 : args->m, columns = few ? args->n : 16;
  for (size_t row = 0; row < args->m; row += rows) {
    for (size_t column = 0; column < args->n; column += columns) {
      GemmF32Args part = part_of(args, row, rows, column, columns);
      if (few) {
        if (packed) {
          run_tile<TwoGroups, 3, 1>(part.m, 1, &part);
        } else {
          run_tile<StridedTwoGroups, 3, 1>(part.m, 1, &part);
        }
        continue;
      }
      if (packed && args->b_is_far && column == 0) {  // fewer rows wait for no more than memory gives
        run_tile<FarTile, 6, 1>(part.m, 1, &part);
        continue;
      }
      part.next_all = false;  // but half by each group of columns
      if (column != 0 && args->next != nullptr)
        part.next = args->next_all ? args->next + args->next_quarter / 2 : nullptr;
      if (packed) {
        run_tile<Tile, 6, 1>(part.m, 1, &part);
      } else {
        run_tile<StridedTile, 6, 1>(part.m, 1, &part);
      }
    }
  }
}
void gemm_f32_1x64c1_avx2(const GemmF32Args* args) {
  const size_t groups = (args->n + 15) / 16;
  if (args->ask_ahead) return run_panels<WideTileAskingAhead, 1, 4>(groups, args);
  run_panels<WideTile, 1, 4>(groups, args);
}

}  // namespace qgemm
