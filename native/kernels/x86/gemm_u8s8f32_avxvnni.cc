// gemm_u8s8f32_{32x96, 1x64}c4_avxvnni
// Instructions: vpdpbusd ymm with VEX encoding (AVX-VNNI), vpbroadcastd from memory.
// Tile 32x96, in registers 4 rows x 24 columns and of the rows left over 3 x 32, 2 x 48 or 1 x 96: always 12 sums,
// which hide the latency of vpdpbusd (8 reach 72 % of its rate, 10 85 %), with 3 weights and 1 activation or the other
// way round all 16 registers. Per 4 steps of k: 7 to 13 loads for 12 vpdpbusd. Sums go on in memory, [32][96]: per 1024
// steps of k the weights of a group of columns stay in the level-1 cache while all rows meet them. Meanwhile the next
// weights are asked for, where they are far, and the lines of c.
// Tile 1x64: 8 sums, weights straight from memory, which is what it waits for.
// Panel: [k/4][32][4] int8; a vector is 8 columns.
#include "kernels/kernel.h"
#include "kernels/rows_of.h"
#include "kernels/tile_switch.h"
#include "kernels/vec/avx2.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"

namespace qgemm {

static inline void dot4(__m256i& sum, __m256i a, __m256i b) {
#if defined(__GNUC__) && !defined(__clang__)
  // Without {vex} the assembler may choose the EVEX form, which these CPUs lack. See also gemm_u8s8f32_avx512vnni.cc.
  __asm__ volatile("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
#else
  sum = _mm256_dpbusd_avx_epi32(sum, a, b);
#endif
}

namespace {  // internal linkage: other files have functions of these names too

constexpr size_t kRows = 32, kColumns = 96;
constexpr size_t kPanelVectors = kPanelColumns / kLanes;
constexpr size_t kStepBytes = 4 * kPanelColumns;  // of a panel, per four k
constexpr size_t kMaxDepth = 1024;
constexpr size_t kFinishRows = 8;  // of sums in memory, at a time
constexpr int kFinishedRows = 4;   // of the tiles that make results of their sums themselves
constexpr size_t kLine = 64;
constexpr size_t kAskAhead = 4096;  // bytes

// Cache lines to ask for, some at a time: `bytes` (whole lines) every `stride` bytes.
struct Ask {
  const char* at;
  const char* end;
  size_t bytes, stride, count;

  Ask(const void* first, size_t bytes_each, size_t stride_bytes, size_t lines)
      : at(static_cast<const char*>(first)),
        end(at + bytes_each),
        bytes(bytes_each),
        stride(stride_bytes),
        count(lines) {}

  template <void (*prefetch_line)(const void*)>
  inline void some() {
    const char *line = at, *last = end;
    for (size_t i = count; i != 0; --i) {
      prefetch_line(line);
      line += kLine;
      if (line == last) {
        line += stride - bytes;
        last += stride;
      }
    }
    at = line;
    end = last;
  }
};

// A chunk of k: rows of a, panels of b, and what to ask for meanwhile: weights every 64 steps, results every tile.
struct Chunk {
  const uint8_t* a;
  size_t lda;
  const int8_t* b;
  size_t panel_stride;
  size_t depth;  // a multiple of 64
  bool first;    // sums start at 0
  Ask weights, results;
  const GemmU8S8Args* plain;  // null, or what makes results of sums that are complete with this chunk, and plain
};

static inline __m256i four_codes(const uint8_t* a) {
  int32_t four;
  memcpy(&four, a, sizeof four);
  return _mm256_set1_epi32(four);
}

static inline __m256i load_weights(const int8_t* w) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(w)); }

// What epilogue_plain does, with sums that are still in registers: a tenth of all time with K = 384.
template <int kTileRows, int kVectors>
static inline void finish_in_registers(const __m256i (&sums)[kTileRows][kVectors], const GemmU8S8Args* args, size_t row,
                                       size_t column) {
  float* c = static_cast<float*>(args->c) + row * args->ldc + column;
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) {
    const PlainColumns columns = plain_columns(args, column + v * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kTileRows; ++i) {
      const I32 zero_point = i32_set1(args->a_zero_points[row + i]);
      const I32 t = i32_sub(sums[i][v], i32_mul(zero_point, columns.column_sum));
      const F32 scale = f32_mul(f32_set1(args->a_scales[row + i]), columns.scale);
      f32_store(c + i * args->ldc + v * kLanes, f32_fma(i32_to_f32(t), scale, columns.bias));
    }
  }
}

// kTileRows rows from `row` on x kVectors vectors from `vector` on: of each of `panels` kUnit that lie side by
// side.
template <int kTileRows, int kVectors, int kUnit>
static inline void multiply(Chunk* chunk, size_t row, size_t vector, const int8_t* const* panels, int32_t* tile) {
  const uint8_t* a = chunk->a + row * chunk->lda;
  tile += row * kColumns + vector * kLanes;
  constexpr int kUnits = kVectors / kUnit;
  __m256i sums[kTileRows][kVectors];
  const bool first = chunk->first;
#pragma GCC unroll 16
  for (int i = 0; i < kTileRows * kVectors; ++i) {
    sums[i / kVectors][i % kVectors] =
        first ? _mm256_setzero_si256() : i32_load(tile + i / kVectors * kColumns + i % kVectors * kLanes);
  }
  const int8_t* w[kUnits];
#pragma GCC unroll 4
  for (int u = 0; u < kUnits; ++u) w[u] = panels[u];
  const size_t lda = chunk->lda;
  chunk->results.some<prefetch>();
  for (const uint8_t* const end = a + chunk->depth; a != end;) {
    chunk->weights.some<prefetch_l2>();
    for (const uint8_t* const next = a + 64; a != next;) {
#pragma GCC unroll 4
      for (int s = 0; s < 4; ++s) {
        if constexpr (kTileRows >= kVectors) {
          __m256i weights[kVectors];
#pragma GCC unroll 16
          for (int v = 0; v < kVectors; ++v) {
            weights[v] = load_weights(w[v / kUnit] + s * kStepBytes + v % kUnit * 32);
          }
#pragma GCC unroll 16
          for (int i = 0; i < kTileRows; ++i) {
            const __m256i x = four_codes(a + i * lda + 4 * s);
#pragma GCC unroll 16
            for (int v = 0; v < kVectors; ++v) dot4(sums[i][v], x, weights[v]);
          }
        } else {
          __m256i x[kTileRows];
#pragma GCC unroll 16
          for (int i = 0; i < kTileRows; ++i) x[i] = four_codes(a + i * lda + 4 * s);
#pragma GCC unroll 16
          for (int v = 0; v < kVectors; ++v) {
            const __m256i weights = load_weights(w[v / kUnit] + s * kStepBytes + v % kUnit * 32);
#pragma GCC unroll 16
            for (int i = 0; i < kTileRows; ++i) dot4(sums[i][v], x[i], weights);
          }
        }
      }
      a += 16;
#pragma GCC unroll 4
      for (int u = 0; u < kUnits; ++u) w[u] += 4 * kStepBytes;
    }
  }
  if (kFinishedRows == kTileRows && chunk->plain != nullptr) {
    return finish_in_registers(sums, chunk->plain, row, vector * kLanes);
  }
#pragma GCC unroll 16
  for (int i = 0; i < kTileRows * kVectors; ++i) {
    i32_store(tile + i / kVectors * kColumns + i % kVectors * kLanes, sums[i / kVectors][i % kVectors]);
  }
}

// `rows` rows from `row` on against kVectors vectors from vector `v` on, kUnit of which always share a panel.
template <int kTileRows, int kVectors, int kUnit>
static QGEMM_NOINLINE void multiply_rows(Chunk* chunk, size_t row, size_t rows, size_t v, int32_t* tile) {
  const int8_t* w[kVectors / kUnit];
  for (int u = 0; u < kVectors / kUnit; ++u) {
    const size_t first = v + static_cast<size_t>(u * kUnit);
    w[u] = chunk->b + first / kPanelVectors * chunk->panel_stride + first % kPanelVectors * 32;
  }
  for (const size_t end = row + rows; row != end; row += kTileRows) {
    multiply<kTileRows, kVectors, kUnit>(chunk, row, v, w, tile);
  }
}

// tile[m, 8 * vectors] += a . b
static inline void multiply_chunk(Chunk* chunk, size_t m, size_t vectors, int32_t* tile) {
  const size_t whole = m - m % kFinishedRows, left = m % kFinishedRows;
  size_t v = 0;
  if (whole > 0) {
    for (; v + 3 <= vectors; v += 3) multiply_rows<4, 3, 1>(chunk, 0, whole, v, tile);
    if (vectors - v == 2) multiply_rows<4, 2, 1>(chunk, 0, whole, v, tile);
    if (vectors - v == 1) multiply_rows<4, 1, 1>(chunk, 0, whole, v, tile);
  }
  v = 0;
  if (left == 3) {
    for (; v < vectors; v += 4) multiply_rows<3, 4, 4>(chunk, whole, left, v, tile);
  } else if (left == 2) {
    for (; v + 4 < vectors; v += 6) multiply_rows<2, 6, 2>(chunk, whole, left, v, tile);
    for (; v < vectors; v += 2) multiply_rows<2, 2, 2>(chunk, whole, left, v, tile);
  } else if (left == 1) {
    if (vectors > 8) {
      multiply_rows<1, 12, 4>(chunk, whole, left, 0, tile);
    } else {
      for (; v < vectors; v += 4) multiply_rows<1, 4, 4>(chunk, whole, left, v, tile);
    }
  }
}

static inline size_t tiles_of(size_t m, size_t vectors) {
  const size_t left = m % 4;
  return m / 4 * ((vectors + 2) / 3) + (left == 0 ? 0 : (vectors * left + 11) / 12);
}

}  // namespace

void gemm_u8s8f32_32x96c4_avxvnni(const GemmU8S8Args* args) {
  alignas(64) int32_t tile[kRows * kColumns];
  const size_t m = args->m, vectors = (args->n + kLanes - 1) / kLanes;
  const size_t panels = (args->n + kPanelColumns - 1) / kPanelColumns, tiles = tiles_of(m, vectors);
  const bool to_codes = args->epilogue.output != nullptr;
  const size_t row_bytes = (args->n * (to_codes ? 1 : 4) + kLine - 1) / kLine * kLine;
  const Ask nothing(nullptr, 0, 0, 0);
  const Ask results(args->c, row_bytes, args->ldc * (to_codes ? 1 : 4), (m * row_bytes / kLine + tiles - 1) / tiles);
  if (args->k == 0) memset(tile, 0, sizeof tile);
  const bool finishes = args->k <= kMaxDepth && args->k != 0 && is_plain(args);
  for (size_t k = 0; k < args->k; k += kMaxDepth) {
    const size_t depth = smaller(args->k - k, kMaxDepth), next = k + depth, bytes = depth * kPanelColumns;
    const int8_t* wanted = args->b + (next < args->k ? next * kPanelColumns : panels * args->panel_stride);
    const Ask weights(wanted, bytes, args->panel_stride, (bytes * panels / kLine * 64 / depth + tiles - 1) / tiles);
    Chunk chunk = {args->a + k,
                   args->lda,
                   args->b + k * kPanelColumns,
                   args->panel_stride,
                   depth,
                   k == 0,
                   args->b_is_far ? weights : nothing,
                   next == args->k ? results : nothing,
                   finishes ? args : nullptr};
    multiply_chunk(&chunk, m, vectors, tile);
  }
  for (size_t row = finishes ? m - m % kFinishedRows : 0; row < m; row += kFinishRows) {
    const GemmU8S8Args part = rows_of(args, row, kFinishRows);
    epilogue_u8s8(tile + row * kColumns, kColumns, &part);
  }
}

namespace {

// One row x kGroups * 16 columns; with kAsk, what is read kAskAhead bytes later is asked for.
template <int kGroups, bool kAsk>
static inline void multiply_row(const GemmU8S8Args* args) {
  constexpr int kVectors = 2 * kGroups;
  const size_t panel_stride = args->panel_stride, depth = args->k;
  const uint8_t* const a = args->a;
  const int8_t* const b = args->b;
  __m256i sums[kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) sums[v] = _mm256_setzero_si256();
#pragma GCC unroll 4
  for (size_t k = 0; k != depth; k += 4) {
    const __m256i x = four_codes(a + k);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const int8_t* w = b + k * kPanelColumns + (v / 4) * panel_stride + (v % 4) * 32;
      if (kAsk && v % 2 == 0) prefetch(w + kAskAhead);
      dot4(sums[v], x, load_weights(w));
    }
  }
  alignas(32) int32_t tile[kGroups * 16];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) i32_store(tile + v * 8, sums[v]);
  epilogue_u8s8(tile, kGroups * 16, args);
}

template <int, int kGroups>
struct RowTile {
  static void run(const GemmU8S8Args* args) {
    if (args->ask_ahead != 0) return multiply_row<kGroups, true>(args);
    multiply_row<kGroups, false>(args);
  }
};

}  // namespace

void gemm_u8s8f32_1x64c4_avxvnni(const GemmU8S8Args* args) { run_panels<RowTile, 1, 4>((args->n + 15) / 16, args); }

}  // namespace qgemm
