// gemm_f32_{12x32, 4x64, 1x128, 1x32}c1_avx512
// Instructions: vfmadd231ps zmm, vbroadcastss from memory.
// Tile 12x32: 24 accumulators + 2 weights + 1 activation = 27 of 32 registers. Per step of k: 2 + 12 loads for 24 fma.
// A comes packed [k][rows of a tile], so that its broadcasts are one stream, or as it lies, [m][k]. It can pause
// between steps of k, and asks for what comes next, four cache lines at a time. Tile 4x64: 16 accumulators; with few
// rows weights come from far, and two panels at once are more streams for the prefetcher. Tile 1x128: 8 accumulators
// over four panels; 1x32 reads one stream, which is faster from main memory where asking some steps ahead does not pay.
// Panel: [k][32] float32; 128 bytes per step are two operands. Up to 8 columns take a quarter of a panel, up to 16
// half, up to 24 three quarters: vectors of 256 bits take half as long where those of 512 are made of two (Zen 4).
// Where columns are fewer than packed rows, these are the vectors.
#include "kernels/is_plain.h"
#include "kernels/kernel.h"
#include "kernels/rows_of.h"
#include "kernels/vec/avx512.h"
#include "kernels/x86/ask_next.h"
#include "kernels/x86/rows_f32.h"
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
#include "kernels/tile_switch.h"

namespace qgemm {

namespace {  // internal linkage: another file has a Tile too

// What a tile asks for while it multiplies: nothing; args->next; or what it reads itself some bytes later, or many,
// into the level-2 cache.
enum Ask { kNothing, kNext, kAhead, kFarAhead };

// kVectors / 2 panels, or the first half of one. kBytesAhead: for kAhead.
template <int kRows, int kVectors, Layout kLayout, Ask kAsk, int kBytesAhead = 0>
struct AnyTile {
  static void run(const GemmF32Args* args) {
    constexpr size_t kSums = kRows * kVectors * kLanes;
    __m512 sums[kRows][kVectors];
    constexpr bool kPauses = kAsk == kNext || kAsk == kFarAhead;
    const bool resume = kPauses && args->resume, pause = kPauses && args->pause;
    const float* from = args->sums;
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        sums[i][v] = resume ? _mm512_load_ps(from + (i * kVectors + v) * kLanes) : _mm512_setzero_ps();
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
          for (int v = 0; v < kVectors; ++v) {
            const float* line = b + (v / 2) * panel_stride + (v % 2) * 16;
            _mm_prefetch(reinterpret_cast<const char*>(line) + kBytesAhead, _MM_HINT_T0);
          }
        }
        if (kAsk == kFarAhead) {
#pragma GCC unroll 2
          for (int v = 0; v < kVectors; ++v)
            _mm_prefetch(reinterpret_cast<const char*>(b + v * 16) + kFarBytes, _MM_HINT_T1);
        }
        __m512 w[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          w[v] = _mm512_load_ps(b + (v / 2) * panel_stride + (v % 2) * 16);
          if (kRows == 3) w[v] = f32_loaded(w[v]);  // or three rows take as long as four
        }
#pragma GCC unroll 16
        for (int i = 0; i < kRows; ++i) {
          const __m512 x = _mm512_set1_ps(a[i]);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) sums[i][v] = _mm512_fmadd_ps(x, w[v], sums[i][v]);
        }
        a.next_step();
        b += kPanelColumns;
      } while (b != stop);
    }
    if (!pause && args->n == kVectors * kLanes && is_plain(args->epilogue)) {
      const float* bias = args->epilogue.bias;
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        float* c = static_cast<float*>(args->c) + i * args->ldc;
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          const __m512 y = sums[i][v];
          _mm512_storeu_ps(c + v * kLanes, bias == nullptr ? y : _mm512_add_ps(y, _mm512_loadu_ps(bias + v * kLanes)));
        }
      }
      return;
    }
    alignas(64) float tile[kSums];
    float* to = pause ? args->sums : tile;
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) _mm512_store_ps(to + (i * kVectors + v) * kLanes, sums[i][v]);
    }
    if (!pause) epilogue_f32(tile, kVectors * kLanes, args);
  }
};

template <int kRows, int>
using Tile = AnyTile<kRows, 2, kPacked, kNext>;
template <int kRows, int>
using FarTile = AnyTile<kRows, 2, kPacked, kFarAhead>;
template <int kRows, int>
using StridedTile = AnyTile<kRows, 2, kStrided, kNext>;
template <int kRows, int>
using HalfTile = AnyTile<kRows, 1, kStrided, kNothing>;
template <int kRows, int kPanels>
using WideTile = AnyTile<kRows, 2 * kPanels, kStrided, kNothing>;
template <int kRows, int kPanels>
using WideTileAskingAhead = AnyTile<kRows, 2 * kPanels, kStrided, kAhead, kRows == 1 ? 512 : 2048>;

// 16 columns and 8 more.
template <int kRows, int>
struct ThreeQuarterTile {
  static void run(const GemmF32Args* args) {
    __m512 left[kRows];
    __m256 right[kRows];
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      left[i] = _mm512_setzero_ps();
      right[i] = _mm256_setzero_ps();
    }
    Rows<kRows, kStrided> a(args);
    const float* b = args->b;
    for (const float* const end = b + args->k * kPanelColumns; b != end; a.next_step(), b += kPanelColumns) {
      const __m512 w = _mm512_load_ps(b);
      const __m256 more = _mm256_load_ps(b + kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const __m512 x = _mm512_set1_ps(a[i]);
        left[i] = _mm512_fmadd_ps(x, w, left[i]);
        right[i] = _mm256_fmadd_ps(_mm512_castps512_ps256(x), more, right[i]);
      }
    }
    alignas(64) float tile[kRows * kPanelColumns];
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      _mm512_store_ps(tile + i * kPanelColumns, left[i]);
      _mm512_store_ps(tile + i * kPanelColumns + kLanes, _mm512_zextps256_ps512(right[i]));
    }
    epilogue_f32(tile, kPanelColumns, args);
  }
};

// 8 columns.
template <int kRows, int>
struct QuarterTile {
  static void run(const GemmF32Args* args) {
    __m256 sums[kRows];
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) sums[i] = _mm256_setzero_ps();
    Rows<kRows, kStrided> a(args);
    const float* b = args->b;
    for (const float* const end = b + args->k * kPanelColumns; b != end; a.next_step(), b += kPanelColumns) {
      const __m256 w = _mm256_load_ps(b);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) sums[i] = _mm256_fmadd_ps(_mm256_set1_ps(a[i]), w, sums[i]);
    }
    alignas(64) float tile[kRows * kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) _mm512_store_ps(tile + i * kLanes, _mm512_zextps256_ps512(sums[i]));
    epilogue_f32(tile, kLanes, args);
  }
};

// Of columns of kLanes sums.
static QGEMM_NOINLINE void finish_columns(const float* columns, const GemmF32Args* args) {
  alignas(64) float tile[kLanes * kLanes];
  for (size_t i = 0; i < args->m; ++i) {
    for (size_t j = 0; j < args->n; ++j) tile[i * kLanes + j] = columns[j * kLanes + i];
  }
  epilogue_f32(tile, kLanes, args);
}

// The same sums in the same order, with a vector of up to 16 rows for each column.
template <int kColumns, int>
struct NarrowTile {
  static void run(const GemmF32Args* args) {
    __m512 sums[kColumns];
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) sums[j] = _mm512_setzero_ps();
    const size_t lda = args->lda, m = args->m, depth = args->k;
    const Mask rows = first_lanes(m);
    const float* a = args->a;
    const float* b = args->b;
    for (size_t k = 0; k < depth; ++k) {
      const __m512 x = _mm512_maskz_loadu_ps(rows, a);
#pragma GCC unroll 16
      for (int j = 0; j < kColumns; ++j) sums[j] = _mm512_fmadd_ps(x, _mm512_set1_ps(b[j]), sums[j]);
      a += lda;
      b += kPanelColumns;
    }
    alignas(64) float columns[kColumns * kLanes];
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) _mm512_store_ps(columns + j * kLanes, sums[j]);
    finish_columns(columns, args);
  }
};

}  // namespace

void gemm_f32_12x32c1_avx512(const GemmF32Args* args) {
  constexpr size_t kQuarter = kPanelColumns / 4;
  const bool packed = args->row_stride == 1;
  if (packed && args->n < args->m) return run_tile<NarrowTile, 11, 1>(args->n, 1, args);
  if (args->n <= kQuarter) return run_tile<QuarterTile, 12, 1>(args->m, 1, args);
  if (args->n <= 2 * kQuarter) return run_tile<HalfTile, 12, 1>(args->m, 1, args);
  const bool in_one_go = !args->pause && !args->resume && args->next == nullptr;
  if (args->n <= 3 * kQuarter && in_one_go) return run_tile<ThreeQuarterTile, 12, 1>(args->m, 1, args);
  if (!packed) return run_tile<StridedTile, 12, 1>(args->m, 1, args);
  if (args->b_is_far) return run_tile<FarTile, 12, 1>(args->m, 1, args);
  run_tile<Tile, 12, 1>(args->m, 1, args);
}
void gemm_f32_4x64c1_avx512(const GemmF32Args* args) {
  const size_t panels = (args->n + 31) / 32;
  if (args->ask_ahead) return run_tile<WideTileAskingAhead, 4, 2>(args->m, panels, args);
  run_tile<WideTile, 4, 2>(args->m, panels, args);
}
void gemm_f32_1x128c1_avx512(const GemmF32Args* args) {
  const size_t panels = (args->n + 31) / 32;
  if (args->ask_ahead) return run_panels<WideTileAskingAhead, 1, 4>(panels, args);
  run_panels<WideTile, 1, 4>(panels, args);
}
void gemm_f32_1x32c1_avx512(const GemmF32Args* args) { WideTile<1, 1>::run(args); }

}  // namespace qgemm
