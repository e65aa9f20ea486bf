// gemm_u8s8f32_{8x32, 4x64, 2x64, 2x32, 1x128, 1x32, 14x32}c4_avx512vnni
// Instructions: vpdpbusd zmm (u8 x s8, four products per 32-bit lane, no saturation), vpbroadcastd from memory.
// Tile: MR rows x NP panels of 32 columns; 2 * MR * NP accumulators, 2 * NP weight registers, 1 activation register:
// at most 28 + 2 + 1 (14x32) of 32. Per 4 steps of k: 2 * NP + MR loads for 2 * MR * NP vpdpbusd.
// Panel: [k/4][32][4] int8; 128 bytes per step are two operands. M = 1 reads four panels at once: enough independent
// sums to hide the latency of vpdpbusd, and four streams for the prefetcher. From main memory one stream is faster
// (docs/kernel-benchmarks.md): 2x32 and 1x32. 14x32 is for 9 to 14 rows whose weights come from afar, which it reads
// once. Of up to 16 columns only half a panel is multiplied.
#include "kernels/kernel.h"
#include "kernels/vec/avx512.h"
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
#include "kernels/tile_switch.h"

namespace qgemm {

static inline void dot4(__m512i& sum, __m512i a, __m512i b) {
#if defined(__GNUC__) && !defined(__clang__)
  // gcc 12 moves accumulators around when it sees the intrinsic (GCC bug 94663).
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
#else
  sum = _mm512_dpbusd_epi32(sum, a, b);
#endif
}

// Weights that stay in a register where several rows use them: gcc 12 loads them again for every row of some tiles
// (3x64), to save registers that there are.
template <int kRows>
static inline __m512i load_weights(const int8_t* p) {
  __m512i w = _mm512_load_si512(p);
#if defined(__GNUC__) && !defined(__clang__)
  if (kRows > 1) __asm__("" : "+v"(w));
#endif
  return w;
}

namespace {  // internal linkage: another file has a Tile too

// What a tile asks for in each step of k: nothing; the next panel, half of it, or a share of it without gaps, into the
// level-2 cache; or what it reads itself some steps later. Asking reaches beyond the last panel in vain, no more.
enum class Ask { nothing, next_panel, half_next_panel, next_share, ahead };
constexpr size_t kAskAhead = 2048;  // bytes
constexpr size_t kUnrolled = 16;    // steps of k

// What epilogue_plain does, with sums that are still in registers: 2 % where K is small. For whole tiles that leave it
// registers: 8x32 and 4x64.
template <int kRows, int kVectors>
static inline void finish_in_registers(const __m512i (&sums)[kRows][kVectors], const GemmU8S8Args* args) {
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    const I32 column_sum = i32_load(args->b_column_sums + v * kLanes);
    const F32 b_scale = f32_load(args->b_scales + v * kLanes);
    const F32 bias = args->epilogue.bias ? f32_load(args->epilogue.bias + v * kLanes) : f32_set1(0.0f);
    float* c = static_cast<float*>(args->c) + v * kLanes;
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const I32 t = i32_sub(sums[i][v], i32_mul(i32_set1(args->a_zero_points[i]), column_sum));
      f32_store(c, f32_fma(i32_to_f32(t), f32_mul(f32_set1(args->a_scales[i]), b_scale), bias));
      c += args->ldc;
    }
  }
}

// kVectors / 2 panels, or the first half of one.
template <int kRows, int kVectors, Ask kAsk>
struct AnyTile {
  static void run(const GemmU8S8Args* args) {
    __m512i sums[kRows][kVectors];
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[i][v] = _mm512_setzero_si512();
    }
    const size_t lda = args->lda;
    const uint8_t* a = args->a;
    const int8_t* b = args->b;
    const char* next = reinterpret_cast<const char*>(args->next);
    // Rows are 0 from logical_k on.
    const size_t panel_stride = args->panel_stride,
                 depth = (size_t{args->logical_k} + kUnrolled - 1) / kUnrolled * kUnrolled;
    const size_t lines = args->next_lines, half_share = depth / kUnrolled * lines * 64 / 2;
    for (size_t first = 0; first != depth; first += kUnrolled) {
      if (kAsk == Ask::next_share) {
        if (lines == 1) {
          _mm_prefetch(next, _MM_HINT_T1);
          next += 64;
        }
        for (size_t pair = 2; pair <= lines; pair += 2, next += 64) {
          _mm_prefetch(next, _MM_HINT_T1);
          _mm_prefetch(next + half_share, _MM_HINT_T1);
        }
      }
#pragma GCC unroll 4
      for (size_t k = first; k != first + kUnrolled; k += 4) {
        if (kAsk != Ask::nothing && kAsk != Ask::next_share) {
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) {
            const size_t line = (v / 2) * panel_stride + k * kPanelColumns + (v % 2) * 64;
            if (kAsk == Ask::next_panel || (kAsk == Ask::half_next_panel && v == 0))
              _mm_prefetch(next + line, _MM_HINT_T1);
            if (kAsk == Ask::ahead) _mm_prefetch(reinterpret_cast<const char*>(b) + line + kAskAhead, _MM_HINT_T0);
          }
        }
        __m512i w[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          w[v] = load_weights<kRows>(b + (v / 2) * panel_stride + k * kPanelColumns + (v % 2) * 64);
        }
#pragma GCC unroll 16
        for (int i = 0; i < kRows; ++i) {
          int32_t four;
          memcpy(&four, a + i * lda + k, sizeof four);
          const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) dot4(sums[i][v], x, w[v]);
        }
      }
    }
    if (kRows * kVectors == 16 && args->n == kVectors * kLanes && is_plain(args)) {
      return finish_in_registers<kRows, kVectors>(sums, args);
    }
    alignas(64) int32_t tile[kRows * kVectors * kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) _mm512_store_si512(tile + (i * kVectors + v) * kLanes, sums[i][v]);
    }
    epilogue_u8s8(tile, kVectors * kLanes, args);
  }
};

template <int kRows, int kPanels>
using Tile = AnyTile<kRows, 2 * kPanels, Ask::nothing>;
template <int kRows, int kPanels>
using TileAskingAhead = AnyTile<kRows, 2 * kPanels, Ask::ahead>;
template <int kRows, int>
using TileAskingForNext = AnyTile<kRows, 2, Ask::next_share>;
template <int kRows, int>
using HalfTile = AnyTile<kRows, 1, Ask::nothing>;

template <int kMaxRows, int kMaxPanels>
static inline void run_tiles(const GemmU8S8Args* args) {
  if (args->n <= kLanes) return run_tile<HalfTile, kMaxRows, 1>(args->m, 1, args);
  const size_t panels = (args->n + kPanelColumns - 1) / kPanelColumns;
  if (args->ask_ahead) return run_tile<TileAskingAhead, kMaxRows, kMaxPanels>(args->m, panels, args);
  run_tile<Tile, kMaxRows, kMaxPanels>(args->m, panels, args);
}

}  // namespace

void gemm_u8s8f32_8x32c4_avx512vnni(const GemmU8S8Args* args) {
  if (args->next != nullptr && args->next_lines != 0) return run_tile<TileAskingForNext, 8, 1>(args->m, 1, args);
  // Fewer rows are done with a panel before the next one is there: asking then only disturbs the reading (Zen 4).
  if (args->m == 8 && args->next != nullptr) {
    return args->next_half ? AnyTile<8, 2, Ask::half_next_panel>::run(args) : AnyTile<8, 2, Ask::next_panel>::run(args);
  }
  run_tiles<8, 1>(args);
}
void gemm_u8s8f32_4x64c4_avx512vnni(const GemmU8S8Args* args) { run_tiles<4, 2>(args); }
void gemm_u8s8f32_2x64c4_avx512vnni(const GemmU8S8Args* args) { run_tiles<2, 2>(args); }
void gemm_u8s8f32_2x32c4_avx512vnni(const GemmU8S8Args* args) { run_tiles<2, 1>(args); }
void gemm_u8s8f32_1x128c4_avx512vnni(const GemmU8S8Args* args) { run_tiles<1, 4>(args); }
void gemm_u8s8f32_1x32c4_avx512vnni(const GemmU8S8Args* args) { run_tiles<1, 1>(args); }
void gemm_u8s8f32_14x32c4_avx512vnni(const GemmU8S8Args* args) { run_tiles<14, 1>(args); }

}  // namespace qgemm
