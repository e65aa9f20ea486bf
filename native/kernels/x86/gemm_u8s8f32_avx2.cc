// gemm_u8s8f32_{32x512, 1x512}c4_avx2: few rows, exact for every weight, without VNNI.
// Instructions: vpmaddubsw, vpmaddwd, vpaddd: 3 per 32 multiply-adds. vpmaddubsw saturates where a pair of products
// leaves int16. Two things make that rare, and what is left is put right:
// - Of each row of activations, the kernel multiplies a - c, cut to a window [0, 190]; c moves the window to where the
//   row's zero point is in its middle. What c takes from the sums comes back as c * column sum, and what the cut takes
//   off few codes, as extra steps of k behind the others, each with a sign for each pair.
// - Within the window only large pairs of weights can saturate (kernel.h): a fraction of a percent, found once per
//   matrix. Where the two activations of one are above its limit, the sum gets what saturation took: true sum less
//   clamped sum.
// Where nobody has looked for large pairs, or many codes lie outside the window: nibbles_avx2.inc.
// Tile: 2 rows x 32 columns in registers: 8 sums, 4 weights, activations, product, ones; one row: 4 sums. Sums go on
// in memory, [32][512]. Per 768 steps of k the rows are cut once, and each panel's 24 KiB stay in the level-1 cache
// while all pairs of rows meet them and fetch the next ones, each a share. One row: 4608 steps, so that panels are read
// as a stream. Panel: [k/4][32][4] int8; a vector is 8 columns. Up to 150 KiB of stack.
#include "kernels/bits.h"
#include "kernels/kernel.h"
#include "kernels/rows_of.h"
#include "kernels/vec/avx2.h"
#include "kernels/x86/window_avx2.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"

namespace qgemm {

extern void gemm_u8s8f32_1x512c4_avx2(const GemmU8S8Args* args);

namespace {  // internal linkage: other files have functions of these names too

constexpr size_t kStepBytes = 4 * kPanelColumns;               // of a panel, per four k
constexpr size_t kLine = 64, kLines = 4 * kStepBytes / kLine;  // cache lines of a panel, per sixteen k
constexpr size_t kAskAhead = 4096;                             // bytes
constexpr size_t kColumns = 512;
constexpr size_t kLd = kColumns + 16;  // rows of sums: a power of two would put all of them into the same cache sets
constexpr size_t kFinishRows = 4;
constexpr size_t kMaxExtras = kPairDepth / 4 / kMostExtras + kPadding;  // of each row per kPairDepth

#include "kernels/x86/nibbles_avx2.inc"

// A step of k for what was cut off: four codes, the sign of each pair (1 or -1 in 16 bits), and which weights they
// meet.
struct Extra {
  int32_t codes, signs;
  uint32_t step;
};

// kDepth steps of k of all rows, cut to the window. `most` is the largest code of all rows for each k, `pair_most` for
// each pair.
template <size_t kRows, size_t kDepth>
struct CutRows {
  static constexpr size_t kChunks = kDepth / kPairDepth;
  alignas(64) uint8_t codes[kRows][kDepth];
  alignas(64) uint8_t most[kDepth];
  alignas(64) uint8_t pair_most[kDepth / 2];
  uint32_t extra_ends[kRows][kChunks + 1];
  Extra extras[kRows * kChunks * kMaxExtras];
};

static inline void bytes_store(void* p, __m256i v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }

// Appends the dwords of `codes` that are not 0.
static inline Extra* append_extras(__m256i codes, __m256i signs, size_t step, Extra* out) {
  const __m256i none = _mm256_cmpeq_epi32(codes, _mm256_setzero_si256());
  uint32_t bits = 0xff ^ static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(none)));
  if (bits == 0) return out;
  int32_t four_codes[8], two_signs[8];
  i32_store(four_codes, codes);
  i32_store(two_signs, signs);
  for (; bits != 0; bits &= bits - 1) {
    const size_t i = lowest_bit(bits);
    *out++ = {four_codes[i], two_signs[i], static_cast<uint32_t>(step + i)};
  }
  return out;
}

// Cuts `depth` codes of one row. A pair with codes on both sides of the window makes two extras.
static inline Extra* cut_codes(const uint8_t* a, size_t depth, size_t start, uint8_t* codes, uint8_t* most,
                               Extra* out) {
  const __m256i first = bytes_set1(start), window = bytes_set1(kActivationWindow), zero = _mm256_setzero_si256();
  for (size_t k = 0; k < depth; k += 32) {
    const __m256i x = bytes_load(a + k), moved = _mm256_subs_epu8(x, first);
    const __m256i inside = _mm256_min_epu8(moved, window);
    bytes_store(codes + k, inside);
    bytes_store(most + k, _mm256_max_epu8(inside, bytes_load(most + k)));
    const __m256i above = _mm256_sub_epi8(moved, inside), below = _mm256_subs_epu8(first, x);
    const __m256i none_above = _mm256_cmpeq_epi16(above, zero);
    out = append_extras(_mm256_or_si256(above, _mm256_and_si256(none_above, below)),
                        _mm256_or_si256(none_above, _mm256_set1_epi16(1)), k / 4, out);
    out = append_extras(_mm256_andnot_si256(none_above, below), _mm256_set1_epi16(-1), k / 4, out);
  }
  return out;
}

template <size_t kRows, size_t kDepth>
static inline void cut_rows(const GemmU8S8Args* args, size_t k0, size_t depth, CutRows<kRows, kDepth>* rows) {
  const size_t whole = (depth + kPairDepth - 1) / kPairDepth * kPairDepth;
  memset(rows->most, 0, whole);
  memset(rows->pair_most, 0, whole / 2);
  Extra* out = rows->extras;
  for (size_t i = 0; i < args->m; ++i) {
    const uint8_t* a = args->a + i * args->lda + k0;
    uint32_t* ends = rows->extra_ends[i];
    *ends++ = static_cast<uint32_t>(out - rows->extras);
    for (size_t k = 0; k < depth; k += kPairDepth) {
      out = cut_codes(a + k, smaller(depth - k, kPairDepth), window_start(args, i), rows->codes[i] + k, rows->most + k,
                      out);
      *ends++ = static_cast<uint32_t>(out - rows->extras);
    }
  }
  for (size_t k = 0; k < depth; k += 32) {
    const __m256i most = bytes_load(rows->most + k);
    const __m256i pairs = _mm256_and_si256(_mm256_max_epu8(most, _mm256_srli_epi16(most, 8)), _mm256_set1_epi16(255));
    const __m128i upper = _mm256_extracti128_si256(pairs, 1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(rows->pair_most + k / 2),
                     _mm_packus_epi16(_mm256_castsi256_si128(pairs), upper));
  }
}

// sum += a . w, in `signs` 1 or -1 for each pair. The empty statement keeps gcc from adding the products of several
// steps first, which costs a register for each.
static inline void add_products(__m256i* sum, __m256i a, __m256i w, __m256i signs) {
  *sum = i32_add(*sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, w), signs));
#if defined(__GNUC__)
  __asm__("" : "+x"(*sum));
#endif
}

// One row's share of a panel.
struct RowCodes {
  const uint8_t* codes;
  const Extra *extras, *extras_end;
};

// Bytes to fetch: `lines` cache lines for every four steps of k.
struct Fetch {
  const int8_t* at;
  size_t lines;
};

// kCount rows x 32 columns: adds the products of `steps` * 4 (a multiple of 16) to the sums at `tile`.
template <int kCount, void (*kPrefetch)(const void*)>
static inline void accumulate(const RowCodes* rows, const int8_t* b, size_t steps, int32_t* tile, size_t ld,
                              Fetch fetch) {
  const __m256i one = _mm256_set1_epi16(1);
  __m256i sums[kCount][4];
#pragma GCC unroll 8
  for (int i = 0; i < 4 * kCount; ++i) sums[i / 4][i % 4] = i32_load(tile + i / 4 * ld + i % 4 * 8);
  for (size_t step = 0; step < steps; step += 4) {
    for (size_t line = 0; line < fetch.lines; ++line, fetch.at += kLine) kPrefetch(fetch.at);
#pragma GCC unroll 4
    for (size_t s = step; s < step + 4; ++s) {
      __m256i w[4];
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) w[v] = bytes_load(b + s * kStepBytes + 32 * v);
#pragma GCC unroll 2
      for (int i = 0; i < kCount; ++i) {
        int32_t codes;
        memcpy(&codes, rows[i].codes + 4 * s, sizeof codes);
        const __m256i a = _mm256_set1_epi32(codes);
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) add_products(&sums[i][v], a, w[v], one);
      }
    }
  }
#pragma GCC unroll 2
  for (int i = 0; i < kCount; ++i) {
    for (const Extra* extra = rows[i].extras; extra != rows[i].extras_end; ++extra) {
      const __m256i a = _mm256_set1_epi32(extra->codes), signs = _mm256_set1_epi32(extra->signs);
      const int8_t* w = b + extra->step * kStepBytes;
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) add_products(&sums[i][v], a, bytes_load(w + 32 * v), signs);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < 4 * kCount; ++i) i32_store(tile + i / 4 * ld + i % 4 * 8, sums[i / 4][i % 4]);
}

static inline int32_t excess_of(const uint8_t* a, const int8_t* w) {
  const int32_t sum = a[0] * w[0] + a[1] * w[1];
  return sum > INT16_MAX ? sum - INT16_MAX : sum < INT16_MIN ? sum - INT16_MIN : 0;
}

// What the restoring of saturated pairs looks at: kPairDepth steps of the cut rows, and their sums.
struct SaturatedTile {
  const uint8_t *pair_most, *most, *codes;
  size_t lda, m, first_column, columns;
  int32_t* sums;
};

// Gives the sums what saturation took at the pairs of one block that are above their limit.
static inline void restore_block(const LargePairBlock& block, const LargePair* pairs, const SaturatedTile& tile) {
  const __m256i zero = _mm256_setzero_si256();
  for (size_t first = 0; first < kPairDepth / 2; first += 64) {
    uint64_t within = 0;
#pragma GCC unroll 2
    for (size_t half = 0; half < 64; half += 32) {
      const __m256i most = bytes_load(tile.pair_most + first + half), limits = bytes_load(block.limits + first + half);
      const __m256i none_above = _mm256_cmpeq_epi8(_mm256_subs_epu8(most, limits), zero);
      within |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(none_above))) << half;
    }
    for (uint64_t above = ~within; above != 0; above &= above - 1) {
      const size_t at = first + lowest_bit(above);
      const LargePair* const end = pairs + block.start + block.ends[at];
      for (const LargePair* pair = pairs + block.start + (at == 0 ? 0 : block.ends[at - 1]); pair != end; ++pair) {
        const size_t column = static_cast<uint16_t>(pair->column - tile.first_column);
        if (column >= tile.columns || excess_of(tile.most + 2 * at, pair->weights) == 0) continue;
        for (size_t row = 0; row < tile.m; ++row) {
          tile.sums[row * kLd + column] += excess_of(tile.codes + row * tile.lda + 2 * at, pair->weights);
        }
      }
    }
  }
}

// The weights after those of `column` and k0: of the next panel, or else of the next k, or else of the next tile.
// Beyond the last tile there is nothing, but fetching is harmless.
static inline const int8_t* next_block(const GemmU8S8Args* args, size_t column, size_t k0, size_t depth) {
  const size_t panel = column / kPanelColumns;
  if (column + kPanelColumns < args->n) return args->b + (panel + 1) * args->panel_stride + k0 * kPanelColumns;
  const size_t k1 = k0 + depth;
  return args->b + (k1 < args->k ? k1 * kPanelColumns : (panel + 1) * args->panel_stride);
}

// Asks for the lines of c that two rows and a panel end up in.
static inline void fetch_results(const GemmU8S8Args* args, size_t row, size_t column) {
  if (args->epilogue.output != nullptr) return;
  const char* c = static_cast<const char*>(args->c) + (row * args->ldc + column) * sizeof(float);
  for (size_t i = 0; i < 2; ++i, c += args->ldc * sizeof(float)) {
    prefetch_l2(c);
    prefetch_l2(c + kLine);
  }
}

// tile[m, n] += (a within the window, and what was cut off) . b
template <size_t kRows, size_t kDepth>
static QGEMM_NOINLINE void multiply_in_window(const GemmU8S8Args* args, int32_t* tile) {
  CutRows<kRows, kDepth> rows;
  const size_t pairs = (args->m + 1) / 2;
  for (size_t k0 = 0; k0 < args->k; k0 += kDepth) {
    const size_t depth = smaller(args->k - k0, kDepth);
    cut_rows(args, k0, depth, &rows);
    for (size_t column = 0; column < args->n; column += kPanelColumns) {
      const int8_t* panel = args->b + column / kPanelColumns * args->panel_stride + k0 * kPanelColumns;
      for (size_t k = 0; k < depth; k += kPairDepth) {
        const size_t chunk = k / kPairDepth, steps = smaller(depth - k, kPairDepth) / 4;
        const bool last = k0 + k + 4 * steps == args->k;
        // All pairs of rows share in fetching; one row alone asks for what it reads soon, where that pays.
        size_t left = kRows > 1 || args->ask_ahead != 0 ? kLines : 0;
        Fetch fetch = {kRows > 1 ? next_block(args, column, k0, depth) : panel + k * kPanelColumns + kAskAhead,
                       smaller(left, (kLines + pairs - 1) / pairs)};
        for (size_t row = 0; row < args->m; row += 2) {
          RowCodes two[2] = {};
          const size_t count = smaller(args->m - row, 2);
          for (size_t i = 0; i < count; ++i) {
            const uint32_t* ends = rows.extra_ends[row + i] + chunk;
            two[i] = {rows.codes[row + i] + k, rows.extras + ends[0], rows.extras + ends[1]};
          }
          int32_t* sums = tile + row * kLd + column;
          if (last) fetch_results(args, row, column);
          if (count == 2) {
            accumulate<2, prefetch_l2>(two, panel + k * kPanelColumns, steps, sums, kLd, fetch);
          } else {
            accumulate<1, kRows == 1 ? prefetch : prefetch_l2>(two, panel + k * kPanelColumns, steps, sums, kLd, fetch);
          }
          fetch.at += steps / 4 * fetch.lines * kLine;
          left -= fetch.lines;
          fetch.lines = smaller(fetch.lines, left);
        }
      }
    }
    const LargePairs& large = *args->large_pairs;
    const size_t first_column = args->panel * kPanelColumns;
    for (size_t k = 0; k < depth; k += kPairDepth) {
      const SaturatedTile saturated = {
          rows.pair_most + k / 2, rows.most + k, rows.codes[0] + k, kDepth, args->m, first_column, args->n, tile};
      const LargePairBlock* blocks = large.blocks + (k0 + k) / kPairDepth * large.groups;
      for (size_t group = first_column / kPairColumns; group * kPairColumns < first_column + args->n; ++group) {
        restore_block(blocks[group], large.pairs, saturated);
      }
    }
  }
}

template <size_t kRows, size_t kDepth>
static inline void run(const GemmU8S8Args* args) {
  alignas(64) int32_t tile[kRows * kLd];
  const bool windowed = args->large_pairs != nullptr && few_extras(args, kDepth);
  for (size_t i = 0; i < args->m; ++i) {
    const I32 start = i32_set1(windowed ? static_cast<int32_t>(window_start(args, i)) : 0);
    for (size_t j = 0; j < args->n; j += kLanes) {
      i32_store(tile + i * kLd + j, i32_mul(start, i32_load(args->b_column_sums + j)));
    }
  }
  if (windowed) {
    multiply_in_window<kRows, kDepth>(args, tile);
  } else {
    multiply_by_nibbles<kRows>(args, tile, kLd);
  }
  // Some rows at a time: rows of c are often powers of two apart, and a cache set holds eight lines.
  for (size_t row = 0; row < args->m; row += kFinishRows) {
    const GemmU8S8Args part = rows_of(args, row, kFinishRows);
    epilogue_u8s8(tile + row * kLd, kLd, &part);
  }
}

}  // namespace

void gemm_u8s8f32_32x512c4_avx2(const GemmU8S8Args* args) {
  if (args->m == 1) return gemm_u8s8f32_1x512c4_avx2(args);
  run<32, kPairDepth>(args);
}

void gemm_u8s8f32_1x512c4_avx2(const GemmU8S8Args* args) { run<1, 6 * kPairDepth>(args); }

}  // namespace qgemm
