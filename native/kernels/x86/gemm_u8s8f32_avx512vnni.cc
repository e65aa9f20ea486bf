// gemm_u8s8f32_{24x64, 8x32, 4x64, 2x64, 2x32, 1x128, 1x32, 14x32}c4_avx512vnni
// Instructions: vpdpbusd zmm (u8 x s8, four products per 32-bit lane, no saturation), vpbroadcastd from memory.
// Tile: MR rows x NP panels of 32 columns; 2 * MR * NP accumulators, 2 * NP weight registers, 1 activation register:
// at most 28 + 2 + 1 (14x32) of 32. Per 4 steps of k: 2 * NP + MR loads for 2 * MR * NP vpdpbusd.
// Panel: [k/4][32][4] int8; 128 bytes per step are two operands.
// 24x64 is 6x64 in registers, one tile after the other: 10 loads for 24 vpdpbusd, where 8x32 has 10 for 16. That is 2
// to 5 % faster where a core starts one vpdpbusd a cycle (Zen 4), and up to 15 % where it starts two and shares its
// load ports with a busy hyperthread. Tiles of few sums add each up in parts, which hides the latency of vpdpbusd. M =
// 1 reads four panels at once, four streams for the prefetcher, and from main memory one (docs/kernel-benchmarks.md):
// 2x32 and 1x32. Where one stream is enough everywhere (Zen 5), lines of up to four rows take their panels in turn.
// 14x32 is for 9 to 14 rows whose weights come from afar, which it reads once. Of up to 16 columns only half a panel is
// multiplied.
#include "kernels/kernel.h"
#include "kernels/vec/avx512.h"
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
//
#include "kernels/x86/finish_avx512vnni.h"
#include "kernels/x86/result_lines.h"
#include "kernels/ask_shares.h"
#include "kernels/rows_of.h"
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

// Weights of several rows in the order of their addresses, each once. gcc 12 loads them again for every row of some
// tiles (3x64), to save registers that there are, and takes those of a later step first in others (5x32): what comes
// from memory then comes half as fast, since the prefetchers see no stream. One row is no faster for it.
template <int kRows>
static inline __m512i load_weights(const int8_t* p) {
#if defined(__GNUC__) && !defined(__clang__)
  if (kRows > 1) {
    __m512i w;
    __asm__ volatile("vmovdqa64 %1, %0" : "=v"(w) : "m"(*reinterpret_cast<const __m512i*>(p)));
    return w;
  }
#endif
  return _mm512_load_si512(p);
}

namespace {  // internal linkage: another file has a Tile too

// What a tile asks for in each step of k: nothing; the next panel, half of it, or a share of it without gaps, into the
// level-2 cache; what it reads itself some steps later; or, as beside a share, the lines of a far output that it will
// be stored to. Asking reaches beyond the last panel in vain, no more.
enum class Ask { nothing, next_panel, half_next_panel, next_share, ahead, results };
constexpr size_t kUnrolled = 16;  // steps of k

// How often all of these are taken.
static inline size_t turns_of(const GemmU8S8Args* args) { return args->logical_k / kUnrolled; }

// What a tile asks for of the next panels: so many cache lines in each turn of kUnrolled steps of k, from `at` on.
struct Share {
  const int8_t* at;
  size_t lines;
};

// kRows rows from `row` on, kVectors / 2 panels or the first half of one.
template <int kRows, int kVectors, Ask kAsk>
struct AnyTile {
  // Whole tiles that leave the epilogue registers.
  static constexpr bool kFinishes = kVectors <= Plain::kMaxVectors && kRows * kVectors >= 16 && kRows * kVectors <= 24;
  // Sums are added up in so many parts where they are few: a vpdpbusd waits for the one before it of the same sum (4
  // cycles), while CPUs start one or two in each.
  static constexpr int kSums = kRows * kVectors, kParts = kSums <= 4 ? 4 : kSums <= 8 ? 2 : 1;
  static_assert(!kFinishes || kParts == 1, "zero points belong to one part");

  // All columns: whole tiles, or one with fewer columns.
  static void run(const GemmU8S8Args* args) {
    constexpr size_t kColumns = kVectors * kLanes;
    const Share share = {args->next, args->next_lines};
    if constexpr (kFinishes) {
      Plain plain(args);
      for_columns<kColumns>(args, [&](const GemmU8S8Args* part) { run(part, 0, share, &plain); });
    } else {
      for_columns<kColumns>(args, [&](const GemmU8S8Args* part) { run(part, 0, share, nullptr); });
    }
  }
  static void run(const GemmU8S8Args* args, size_t row, Share share, const Plain* plain) {
    __m512i sums[kRows][kVectors];
    const bool finish = kFinishes && plain->any && args->n == kVectors * kLanes;
    multiply(args, row, args->b, share, sums, finish ? plain : nullptr);
    if (finish) return finish_in_registers(sums, args, row, *plain);
    alignas(64) int32_t tile[kRows * kVectors * kLanes];
    store(sums, tile, kVectors * kLanes);
    if (args->m == kRows) return epilogue_u8s8(tile, kVectors * kLanes, args);
    const GemmU8S8Args part = rows_of(args, row, kRows);
    epilogue_u8s8(tile, kVectors * kLanes, &part);
  }

  // Four steps of k.
  static QGEMM_ALWAYS_INLINE void add_products(const uint8_t* a, size_t lda, const int8_t* b, size_t panel_stride,
                                               __m512i (&sums)[kRows][kVectors]) {
    __m512i w[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) w[v] = load_weights<kRows>(b + (v / 2) * panel_stride + (v % 2) * 64);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      int32_t four;
      memcpy(&four, a + i * lda, sizeof four);
      const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) dot4(sums[i][v], x, w[v]);
    }
  }

  static QGEMM_ALWAYS_INLINE void multiply(const GemmU8S8Args* args, size_t row, const int8_t* b, Share share,
                                           __m512i (&sums)[kRows][kVectors], const Plain* plain = nullptr) {
    __m512i parts[kParts][kRows][kVectors];
    if (kFinishes && plain != nullptr) {
      begin_sums(parts[0], args, row, *plain);
    } else {
#pragma GCC unroll 32
      for (int i = 0; i < kParts * kSums; ++i) {
        parts[i / kSums][i % kSums / kVectors][i % kVectors] = _mm512_setzero_si512();
      }
    }
    const size_t lda = args->lda;
    const uint8_t* a = args->a + row * lda;
    const char* next = reinterpret_cast<const char*>(share.at);
    const size_t panel_stride = args->panel_stride, turns = turns_of(args), ahead = args->ask_ahead;
    const size_t lines = share.lines, half_share = turns * lines * 64 / 2;
    ResultLines<kAsk == Ask::results || kAsk == Ask::next_share> results(args, row, kRows, turns);
    const size_t whole = turns * kUnrolled;
    for (size_t first = 0; first != whole; first += kUnrolled) {
      results.ask_for_share();
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
      for (size_t step = 0; step != kUnrolled / 4; ++step) {
        const size_t k = first + 4 * step;
        if (kAsk != Ask::nothing && kAsk != Ask::next_share) {
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) {
            const size_t line = (v / 2) * panel_stride + k * kPanelColumns + (v % 2) * 64;
            if (kAsk == Ask::next_panel || (kAsk == Ask::half_next_panel && v == 0))
              _mm_prefetch(next + line, _MM_HINT_T1);
            if (kAsk == Ask::ahead) _mm_prefetch(reinterpret_cast<const char*>(b) + line + ahead, _MM_HINT_T0);
          }
        }
        add_products(a + k, lda, b + k * kPanelColumns, panel_stride, parts[step % kParts]);
      }
    }
    // Rows are 0 from logical_k on.
    for (size_t k = whole; k < args->logical_k; k += 4) {
      add_products(a + k, lda, b + k * kPanelColumns, panel_stride, parts[0]);
    }
#pragma GCC unroll 32
    for (int i = 0; i < kSums; ++i) {
      __m512i sum = parts[0][i / kVectors][i % kVectors];
#pragma GCC unroll 4
      for (int part = 1; part < kParts; ++part) {
        sum = _mm512_add_epi32(sum, parts[part][i / kVectors][i % kVectors]);
      }
      sums[i / kVectors][i % kVectors] = sum;
    }
  }

  static QGEMM_ALWAYS_INLINE void store(const __m512i (&sums)[kRows][kVectors], int32_t* tile, size_t ld) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) _mm512_store_si512(tile + i * ld + v * kLanes, sums[i][v]);
    }
  }
};

// Few rows and several panels, one after the other: the weights are one stream.
template <int kRows, int kPanels, Ask kAsk>
struct AnyPanelByPanel {
  using Panel = AnyTile<kRows, 2, kAsk>;

  static void run(const GemmU8S8Args* args) { for_columns<kPanels * kPanelColumns>(args, run_one); }

  static void run_one(const GemmU8S8Args* args) {
    constexpr size_t kColumns = kPanels * kPanelColumns;
    alignas(64) int32_t tile[kRows * kColumns];
    const int8_t* b = args->b;
    for (size_t column = 0; column != kColumns; column += kPanelColumns, b += args->panel_stride) {
      __m512i sums[kRows][2];
      Panel::multiply(args, 0, b, {nullptr, 0}, sums);
      Panel::store(sums, tile + column, kColumns);
    }
    epilogue_u8s8(tile, kColumns, args);
  }
};

template <int kRows, int kPanels>
using PanelByPanel = AnyPanelByPanel<kRows, kPanels, Ask::nothing>;
template <int kRows, int kPanels>
using PanelByPanelAskingAhead = AnyPanelByPanel<kRows, kPanels, Ask::ahead>;
template <int kRows, int kPanels>
using Tile = AnyTile<kRows, 2 * kPanels, Ask::nothing>;
template <int kRows, int kPanels>
using TileAskingAhead = AnyTile<kRows, 2 * kPanels, Ask::ahead>;
template <int kRows, int kPanels>
using TileAskingForNext = AnyTile<kRows, 2 * kPanels, Ask::next_share>;
template <int kRows, int kPanels>
using TileAskingForResults = AnyTile<kRows, 2 * kPanels, Ask::results>;
template <int kRows, int>
using HalfTile = AnyTile<kRows, 1, Ask::nothing>;

// Whole tiles of kMaxPanels panels, or one of fewer.
template <int kMaxRows, int kMaxPanels>
static inline void run_alike(const GemmU8S8Args* args) {
  if (args->n <= kLanes) return run_tile<HalfTile, kMaxRows, 1>(args->m, 1, args);
  const size_t panels = (args->n + kPanelColumns - 1) / kPanelColumns;
  if (args->next != nullptr && args->next_lines != 0) {
    return run_tile<TileAskingForNext, kMaxRows, kMaxPanels>(args->m, panels, args);
  }
  if constexpr (kMaxPanels > 1) {
    if (args->one_stream && args->ask_ahead != 0) {
      return run_tile<PanelByPanelAskingAhead, kMaxRows, kMaxPanels>(args->m, panels, args);
    }
    if (args->one_stream) return run_tile<PanelByPanel, kMaxRows, kMaxPanels>(args->m, panels, args);
  }
  if (args->ask_ahead != 0) return run_tile<TileAskingAhead, kMaxRows, kMaxPanels>(args->m, panels, args);
  if (kMaxRows >= 4 && args->c_is_far) {
    return run_tile<TileAskingForResults, kMaxRows, kMaxPanels>(args->m, panels, args);
  }
  run_tile<Tile, kMaxRows, kMaxPanels>(args->m, panels, args);
}

template <int kMaxRows, int kMaxPanels>
static inline void run_tiles(const GemmU8S8Args* args) {
  const size_t last = args->n % (kMaxPanels * kPanelColumns);
  if (last == 0 || last == args->n) return run_alike<kMaxRows, kMaxPanels>(args);
  GemmU8S8Args part = *args;
  part.n -= last;
  run_alike<kMaxRows, kMaxPanels>(&part);
  move_columns(&part, part.n);
  part.n = last;
  run_alike<kMaxRows, kMaxPanels>(&part);
}

// Calls run(row, rows) for tiles of up to kMaxRows rows, as even as that goes.
template <size_t kMaxRows, typename Run>
static inline void for_rows(size_t m, const Run& run) {
  for (size_t row = 0, rows = 0; row < m; row += rows) {
    const size_t left = m - row, tiles = (left + kMaxRows - 1) / kMaxRows;
    rows = (left + tiles - 1) / tiles;
    run(row, rows);
  }
}

// Tiles ask for equal shares of what the call is to ask for.
static inline void run_rows(const GemmU8S8Args* args) {
  constexpr size_t kRows = 6, kHalfRows = 12;
  const Share none = {nullptr, 0};
  Plain plain(args);
  if (args->n <= kLanes) {
    return for_rows<kHalfRows>(
        args->m, [&](size_t row, size_t rows) { run_tile<HalfTile, kHalfRows, 1>(rows, 1, args, row, none, &plain); });
  }
  const size_t panels = (args->n + kPanelColumns - 1) / kPanelColumns, tiles = (args->m + kRows - 1) / kRows;
  size_t tile = 0, asked = 0;  // cache lines
  for_rows<kRows>(args->m, [&](size_t row, size_t rows) {
    const size_t lines = args->next != nullptr ? lines_before(++tile, tiles, args->next_lines) - asked : 0;
    if (lines != 0) {
      const Share share = {args->next + turns_of(args) * asked * 64, lines};
      asked += lines;
      run_tile<TileAskingForNext, kRows, 2>(rows, panels, args, row, share, &plain);
    } else if (args->ask_ahead != 0) {
      run_tile<TileAskingAhead, kRows, 2>(rows, panels, args, row, none, &plain);
    } else if (args->c_is_far) {
      run_tile<TileAskingForResults, kRows, 2>(rows, panels, args, row, none, &plain);
    } else {
      run_tile<Tile, kRows, 2>(rows, panels, args, row, none, &plain);
    }
  });
}

}  // namespace

void gemm_u8s8f32_24x64c4_avx512vnni(const GemmU8S8Args* args) { run_rows(args); }
void gemm_u8s8f32_8x32c4_avx512vnni(const GemmU8S8Args* args) {
  // Fewer rows are done with a panel before the next one is there: asking then only disturbs the reading (Zen 4).
  if (args->m == 8 && args->next != nullptr && args->next_lines == 0) {
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
