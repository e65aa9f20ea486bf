// gemm_u8s8f32_512x32c4_avx2: blocks of many rows, exact for every weight, without VNNI.
// Instructions: vpmaddubsw, vpmaddwd, vpaddd: 3 per 32 multiply-adds. vpmaddubsw saturates where a pair of products
// leaves int16, which takes two weights of one sign whose sum is large: some percent of the pairs of real weights. Such
// a pair gives its excess away: w = clamped + excess, and the few excesses are multiplied as steps of their own, behind
// the others. How large a sum may be depends on the largest activation of the two k among all rows. Excesses are small:
// mostly all of a column's products with them fit one sum in 16 bits, and then take 2 instructions each.
// Rows are lanes here, weights are broadcast: so a step of one column alone is as cheap per product as any other.
// Up to 512 rows are transposed once, into args->scratch: per 384 steps of k, [k/4][32 rows][4], 12 KiB, which stay in
// the level-1 cache while 32 columns pass by. Each panel is split once for all of these rows, 384 steps (12 KiB) at a
// time. Tile in registers: 32 rows x 2 columns: 8 sums, 2 weights, activations, product, ones. Sums go on in the
// scratch, [32 columns][rows]; those of 32 rows become results while they are in the level-1 cache.
// Some tens of rows are left to the kernel for few rows, which splits nothing. Panel: [k/4][32][4] int8.
#include "kernels/bits.h"
#include "kernels/kernel.h"
#include "kernels/rows_of.h"
#include "kernels/vec/avx2.h"
#include "kernels/x86/window_avx2.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"

namespace qgemm {

extern void gemm_u8s8f32_32x512c4_avx2(const GemmU8S8Args* args);

namespace {  // internal linkage: other files have functions of these names too

constexpr size_t kRows = 512;
constexpr size_t kGroupRows = 32;
constexpr size_t kTheirRows = 32, kTheirColumns = 512;  // of the kernel for few rows
constexpr size_t kDepth = 384;
constexpr size_t kMaxSteps = kDepth / 4;
constexpr size_t kStepBytes = 4 * kPanelColumns, kLine = 64;
constexpr size_t kFewRows = 16;   // for so few, clamping costs more than it saves
constexpr size_t kMaxExtras = 4;  // one of so many steps; with more, the other kernel is faster
// Activations up to 255 times weights of this sum stay within 16 bits.
constexpr int32_t kMergedWeights = 128;

// A step of one column: four weights, and which activations they meet.
struct Extra {
  int32_t weights;
  uint32_t step;
};

// Up to kDepth steps of a panel.
struct SplitPanel {
  alignas(64) int32_t clamped[kMaxSteps * kPanelColumns];
  alignas(64) Extra extras[kPanelColumns][kMaxSteps + 1];
  uint32_t extra_counts[kPanelColumns];
  uint32_t merged_counts[kPanelColumns];  // so many of them are added up in 16 bits first
};

// Some rows as the loop reads them, and their sums with one panel: views of args->scratch.
struct PackedRows {
  size_t count, padded;  // to whole vectors
  size_t ld;             // of sums
  int32_t* steps;        // per kDepth steps of k, per group of V * 8 rows: [step][V * 8]
  int32_t* limits;       // [k / 4]: two int16 each, see pair_limits
  int32_t* sums;         // [32][ld]
};

// 8 rows x 32 bytes become 8 steps of 8 dwords, `ld` dwords apart.
static inline void transpose_rows(const uint8_t* const* rows, size_t k, int32_t* out, size_t ld) {
#pragma GCC unroll 2
  for (size_t half = 0; half < 2; ++half) {
    __m256i r[4];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      const __m128i upper = load_words(rows[i + 4] + k + 16 * half);
      r[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(load_words(rows[i] + k + 16 * half)), upper, 1);
    }
    const __m256i low01 = _mm256_unpacklo_epi32(r[0], r[1]), high01 = _mm256_unpackhi_epi32(r[0], r[1]);
    const __m256i low23 = _mm256_unpacklo_epi32(r[2], r[3]), high23 = _mm256_unpackhi_epi32(r[2], r[3]);
    int32_t* steps = out + 4 * half * ld;
    i32_store(steps, _mm256_unpacklo_epi64(low01, low23));
    i32_store(steps + ld, _mm256_unpackhi_epi64(low01, low23));
    i32_store(steps + 2 * ld, _mm256_unpacklo_epi64(high01, high23));
    i32_store(steps + 3 * ld, _mm256_unpackhi_epi64(high01, high23));
  }
}

// `vectors` * 8 rows from `row` on; those beyond the last are copies of it. Also takes the largest code of each k into
// `largest`, four bytes to a step.
static inline void pack_rows(const GemmU8S8Args* args, size_t row, size_t vectors, size_t k0, size_t depth,
                             int32_t* out, int32_t* largest) {
  const size_t ld = 8 * vectors;
  for (size_t v = 0; v < vectors; ++v) {
    const uint8_t* rows[8];
    for (size_t i = 0; i < 8; ++i) {
      const size_t at = row + 8 * v + i;
      rows[i] = args->a + (at < args->m ? at : args->m - 1) * args->lda + k0;
    }
    for (size_t k = 0; k < depth; k += 32) {
      transpose_rows(rows, k, out + k / 4 * ld + 8 * v, ld);
      __m256i most = i32_load(largest + k / 4);
      for (size_t i = 0; i < 8; ++i) {
        most = _mm256_max_epu8(most, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[i] + k)));
      }
      i32_store(largest + k / 4, most);
    }
  }
}

// floor(32767 / a) for codes above 128, else 255: two weights of one sign may have a sum of this size.
struct PairLimits {
  uint8_t of[256];
  constexpr PairLimits() : of() {
    for (int a = 0; a < 256; ++a) of[a] = static_cast<uint8_t>(32767 / (a > 128 ? a : 129) + (a > 128 ? 0 : 1));
  }
};
constexpr PairLimits kPairLimits;

// The largest codes of four k become the limits of their two pairs.
static inline void pair_limits(int32_t* limits, size_t steps) {
  for (size_t i = 0; i < steps; ++i) {
    const uint32_t codes = static_cast<uint32_t>(limits[i]);
    const uint32_t a0 = codes & 0xff, a1 = codes >> 8 & 0xff, a2 = codes >> 16 & 0xff, a3 = codes >> 24;
    const uint32_t low = kPairLimits.of[a0 > a1 ? a0 : a1], high = kPairLimits.of[a2 > a3 ? a2 : a3];
    limits[i] = static_cast<int32_t>(low | high << 16);
  }
}

// Clamps one step of a panel, and adds the size of what is too much to `totals`, two int16 for each column. One bit for
// each column where that is not 0, which are few.
static inline uint32_t clamp_step(const int8_t* b, int32_t limits, int32_t* clamped, __m256i* totals) {
  const __m256i one = _mm256_set1_epi8(1), zero = _mm256_setzero_si256();
  const __m256i most = _mm256_set1_epi32(limits), least = _mm256_sub_epi16(zero, most);
  __m256i none[4];
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
    const __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(b + 32 * v));
    const __m256i sum = _mm256_maddubs_epi16(one, w);
    const __m256i too_much = _mm256_sub_epi16(sum, _mm256_max_epi16(_mm256_min_epi16(sum, most), least));
    i32_store(clamped + 8 * v, _mm256_sub_epi8(w, _mm256_slli_epi16(too_much, 8)));
    totals[v] = _mm256_add_epi16(totals[v], _mm256_abs_epi16(too_much));
    none[v] = _mm256_cmpeq_epi32(too_much, zero);
  }
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(none[0], none[1]), _mm256_packs_epi32(none[2], none[3]));
  return ~static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_permutevar8x32_epi32(bytes, order)));
}

// How many extras from the first on have products whose sums stay within 16 bits, for each pair of k and each sign.
static inline uint32_t count_merged(const Extra* extras, uint32_t count) {
  int32_t sums[2][2] = {{0, 0}, {0, 0}};
  for (uint32_t i = 0; i < count; ++i) {
    for (int pair = 0; pair < 2; ++pair) {
      const int32_t weight = static_cast<int8_t>(static_cast<uint32_t>(extras[i].weights) >> (16 * pair + 8));
      int32_t* sum = &sums[pair][weight < 0];
      *sum += weight;
      if (*sum > kMergedWeights || *sum < -kMergedWeights) return i;
    }
  }
  return count;
}

// Lists what clamping took: weights less clamped weights, where `columns` has bits, one word for two steps. One loop
// goes through words and bits: how many bits a word has cannot be foreseen, and every surprise costs the CPU some 20
// cycles.
static inline void list_extras(const int8_t* b, const uint64_t* columns, size_t words, size_t count,
                               SplitPanel* split) {
  size_t word = 0;
  uint64_t bits = columns[0], next = columns[1];
  for (size_t i = 0; i < count + words; ++i) {
    const size_t bit = lowest_bit(bits | uint64_t{1} << 63), column = bit % kPanelColumns;
    const size_t at = word * 2 * kPanelColumns + bit;
    int32_t weights;
    memcpy(&weights, b + 4 * at, sizeof weights);
    const __m128i excess = _mm_sub_epi8(_mm_cvtsi32_si128(weights), _mm_cvtsi32_si128(split->clamped[at]));
    split->extras[column][split->extra_counts[column]] = {_mm_cvtsi128_si32(excess),
                                                          static_cast<uint32_t>(at / kPanelColumns)};
    split->extra_counts[column] += bits != 0;
    word += bits == 0;
    bits = bits == 0 ? next : bits & (bits - 1);
    next = columns[word + 1];
  }
}

// Splits a panel into clamped weights and extras. Sums of opposite signs never reach a limit, which is 128 or more.
// What is too much is taken from the odd k: it has the sum's sign, and stays on its side of zero.
static inline void split_panel(const int8_t* b, size_t steps, const int32_t* limits, SplitPanel* split) {
  __m256i totals[4];
  for (int v = 0; v < 4; ++v) totals[v] = _mm256_setzero_si256();
  uint64_t columns[kMaxSteps / 2 + 2];
  size_t count = 0;
  for (size_t step = 0; step < steps; step += 2) {
    const uint64_t low = clamp_step(b + step * kStepBytes, limits[step], split->clamped + step * kPanelColumns, totals);
    const uint64_t high =
        clamp_step(b + (step + 1) * kStepBytes, limits[step + 1], split->clamped + (step + 1) * kPanelColumns, totals);
    columns[step / 2] = low | high << 32;
    count += count_bits(columns[step / 2]);
  }
  columns[steps / 2] = columns[steps / 2 + 1] = 0;
  memset(split->extra_counts, 0, sizeof split->extra_counts);
  list_extras(b, columns, steps / 2, count, split);
  alignas(32) uint32_t sizes[kPanelColumns];
  for (int v = 0; v < 4; ++v) _mm256_store_si256(reinterpret_cast<__m256i*>(sizes + 8 * v), totals[v]);
  for (size_t column = 0; column < kPanelColumns; ++column) {
    const uint32_t extras = split->extra_counts[column];
    const bool all = (sizes[column] & 0xffff) <= kMergedWeights && sizes[column] >> 16 <= kMergedWeights;
    split->merged_counts[column] = all ? extras : count_merged(split->extras[column], extras);
  }
}

static inline void add_products(__m256i* sum, __m256i a, __m256i w) {
  const __m256i one = _mm256_set1_epi16(1);
  *sum = i32_add(*sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, w), one));
}

// The extras of one column.
template <int kVectors>
static inline void accumulate_extras(const int32_t* rows, const SplitPanel& split, size_t column, __m256i* sums) {
  constexpr size_t kLd = 8 * kVectors;
  const Extra* extra = split.extras[column];
  const Extra *const merged_end = extra + split.merged_counts[column], *const end = extra + split.extra_counts[column];
  __m256i merged[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) merged[v] = _mm256_setzero_si256();
  for (; extra != merged_end; ++extra) {
    const int32_t* a = rows + extra->step * kLd;
    const __m256i w = _mm256_set1_epi32(extra->weights);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      merged[v] = _mm256_add_epi16(merged[v], _mm256_maddubs_epi16(i32_load(a + 8 * v), w));
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    sums[v] = i32_add(sums[v], _mm256_madd_epi16(merged[v], _mm256_set1_epi16(1)));
  }
  for (; extra != end; ++extra) {
    const int32_t* a = rows + extra->step * kLd;
    const __m256i w = _mm256_set1_epi32(extra->weights);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) add_products(&sums[v], i32_load(a + 8 * v), w);
  }
}

// kVectors * 8 rows x kCount columns from `column` of the panel on.
template <int kVectors, int kCount>
static inline void accumulate(const int32_t* rows, const SplitPanel& split, size_t column, size_t steps, bool first,
                              int32_t* sums, size_t ld) {
  constexpr size_t kLd = 8 * kVectors;
  __m256i acc[kCount][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kCount * kVectors; ++i) {
    acc[i / kVectors][i % kVectors] =
        first ? _mm256_setzero_si256() : i32_load(sums + i / kVectors * ld + i % kVectors * 8);
  }
#pragma GCC unroll 4
  for (size_t step = 0; step < steps; ++step) {
    __m256i w[kCount];
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) w[j] = _mm256_set1_epi32(split.clamped[step * kPanelColumns + column + j]);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const __m256i a = i32_load(rows + step * kLd + 8 * v);
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) add_products(&acc[j][v], a, w[j]);
    }
  }
#if defined(__GNUC__)
  // What follows takes the sums from where the loop has them: otherwise gcc copies some in every turn.
#pragma GCC unroll 8
  for (int i = 0; i < kCount * kVectors; ++i) __asm__("" : "+x"(acc[i / kVectors][i % kVectors]));
#endif
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) accumulate_extras<kVectors>(rows, split, column + j, acc[j]);
#pragma GCC unroll 8
  for (int i = 0; i < kCount * kVectors; ++i) {
    i32_store(sums + i / kVectors * ld + i % kVectors * 8, acc[i / kVectors][i % kVectors]);
  }
}

// What is fetched while a group of rows meets a panel, sixteen times some: a share of the next weights, and lines of c.
struct Fetch {
  const int8_t* weights;
  size_t weight_lines;
  const char* c;  // null: not yet
  size_t c_stride;

  inline void some() {
    for (size_t i = 0; i < weight_lines; ++i, weights += kLine) prefetch_l2(weights);
    if (c == nullptr) return;
    for (size_t row = 0; row < kGroupRows / 16; ++row, c += c_stride) {
      prefetch(c + kLine - 1);
      prefetch(c + 2 * kLine - 1);
    }
  }
};

// A group of rows against the first `columns` of a panel.
template <int kVectors, int kCount>
static inline void multiply_group(const int32_t* rows, const SplitPanel& split, size_t columns, size_t steps,
                                  bool first, int32_t* sums, size_t ld, Fetch* fetch) {
  for (size_t column = 0; column < columns; column += kCount) {
    for (int i = 0; i < kCount; i += 2) fetch->some();
    accumulate<kVectors, kCount>(rows, split, column, steps, first, sums + column * ld, ld);
  }
}

static inline size_t vectors_of_group(size_t rows_left) {
  return rows_left >= kGroupRows ? kGroupRows / 8 : (rows_left + 7) / 8;
}

// The block after the one at k0: of the same panel, or else of the next. Beyond the last one there is
// nothing, but fetching is harmless.
static inline const int8_t* next_block(const GemmU8S8Args* args, size_t k0, size_t steps) {
  const size_t k1 = k0 + 4 * steps;
  return args->b + (k1 < args->k ? k1 * kPanelColumns : args->panel_stride);
}

// Four rows x 8 columns of sums.
static inline void load_rows(const PackedRows& packed, size_t row, size_t column, I32* rows) {
  i32_load_transposed(reinterpret_cast<const uint8_t*>(packed.sums + column * packed.ld + row),
                      packed.ld * sizeof(int32_t), rows);
}

// What epilogue_plain_rows does, of sums whose rows lie apart: results of four rows x kCount vectors.
template <int kCount>
static inline void finish_plain_rows(const GemmU8S8Args* panel, const PackedRows& packed, size_t row, size_t column) {
  I32 sums[kCount][4];
  PlainColumns columns[kCount];
#pragma GCC unroll 2
  for (size_t v = 0; v < kCount; ++v) {
    load_rows(packed, row, column + v * kLanes, sums[v]);
    columns[v] = plain_columns(panel, column + v * kLanes);
  }
#pragma GCC unroll 4
  for (size_t i = 0; i < 4; ++i) {
    if (row + i >= packed.count) return;
    const I32 zero_point = i32_set1(panel->a_zero_points[row + i]);
    const F32 scale = f32_set1(panel->a_scales[row + i]);
    F32 y[kCount];
#pragma GCC unroll 2
    for (int v = 0; v < kCount; ++v) y[v] = plain_result(sums[v][i], zero_point, scale, &columns[v]);
    f32_store_row(static_cast<float*>(panel->c) + (row + i) * panel->ldc + column, y);
  }
}

// Makes results of a group of rows, whose sums with the panel are complete.
static QGEMM_NOINLINE void finish_group(const GemmU8S8Args* panel, const PackedRows& packed, size_t first_row) {
  if (is_plain(panel)) {
    const size_t end = smaller(first_row + kGroupRows, packed.count);
    for (size_t row = first_row; row < end; row += 4) {
      size_t j = 0;
      for (; j + 2 * kLanes <= panel->n; j += 2 * kLanes) finish_plain_rows<2>(panel, packed, row, j);
      if (j < panel->n) finish_plain_rows<1>(panel, packed, row, j);
    }
    return;
  }
  alignas(32) int32_t tile[kGroupRows * kPanelColumns];
  const GemmU8S8Args group = rows_of(panel, first_row, kGroupRows);
  for (size_t row = 0; row < group.m; row += 4) {
    for (size_t j = 0; j < group.n; j += kLanes) {
      I32 four_rows[4];
      load_rows(packed, first_row + row, j, four_rows);
      for (size_t i = 0; i < 4; ++i) i32_store(tile + (row + i) * kPanelColumns + j, four_rows[i]);
    }
  }
  epilogue_u8s8_rows(tile, kPanelColumns, &group, 0, group.m);
}

// All rows against a panel, which is all of the arguments' columns.
static inline void multiply_panel(const GemmU8S8Args* args, const PackedRows& packed) {
  SplitPanel split;
  const size_t groups = (packed.count + kGroupRows - 1) / kGroupRows;
  for (size_t k0 = 0; k0 < args->k; k0 += kDepth) {
    const size_t steps = smaller(args->k - k0, kDepth) / 4, lines = steps * kStepBytes / kLine;
    split_panel(args->b + k0 * kPanelColumns, steps, packed.limits + k0 / 4, &split);
    const bool first = k0 == 0, last = k0 + 4 * steps == args->k;
    const bool fetch_results = last && args->c_is_far && args->epilogue.output == nullptr;
    Fetch fetch = {next_block(args, k0, steps), (lines / 16 + groups - 1) / groups, nullptr, args->ldc * sizeof(float)};
    for (size_t row = 0; row < packed.count; row += kGroupRows) {
      const int32_t* rows = packed.steps + k0 / 4 * packed.padded + row * steps;
      int32_t* sums = packed.sums + row;
      if (fetch_results) fetch.c = static_cast<const char*>(args->c) + row * args->ldc * sizeof(float);
      switch (vectors_of_group(packed.count - row)) {
        case 4:
          multiply_group<4, 2>(rows, split, args->n, steps, first, sums, packed.ld, &fetch);
          break;
        case 3:
          multiply_group<3, 2>(rows, split, args->n, steps, first, sums, packed.ld, &fetch);
          break;
        case 2:
          multiply_group<2, 4>(rows, split, args->n, steps, first, sums, packed.ld, &fetch);
          break;
        default:
          multiply_group<1, 8>(rows, split, args->n, steps, first, sums, packed.ld, &fetch);
      }
      if (last) finish_group(args, packed, row);
    }
  }
}

// Weights without a bell curve: evenly spread, or all of them large. The first panel speaks for the others.
static QGEMM_NOINLINE bool too_many_extras(const GemmU8S8Args* args, const PackedRows& packed) {
  SplitPanel split;
  const size_t steps = smaller(args->k, kDepth) / 4;
  split_panel(args->b, steps, packed.limits, &split);
  size_t count = 0;
  for (size_t column = 0; column < kPanelColumns; ++column) count += split.extra_counts[column];
  return count > steps * kPanelColumns / kMaxExtras;
}

// How many rows fit args->scratch, in whole groups.
static inline size_t most_rows(const GemmU8S8Args* args) {
  const size_t each = args->k + kPanelColumns * sizeof(int32_t), others = args->k + 1024 * sizeof(int32_t);
  if (args->scratch == nullptr || others > kGemmScratchBytes) return 0;
  return smaller((kGemmScratchBytes - others) / each / kGroupRows * kGroupRows, kRows);
}

static inline PackedRows pack_block(const GemmU8S8Args* args) {
  PackedRows packed = {};
  packed.count = args->m;
  packed.padded = (args->m + 7) / 8 * 8;
  packed.ld = packed.padded + 16;  // a power of two would put all columns into the same cache sets
  packed.sums = static_cast<int32_t*>(args->scratch);
  packed.limits = packed.sums + kPanelColumns * packed.ld;
  packed.steps = packed.limits + args->k / 4;
  memset(packed.limits, 0, args->k);
  for (size_t k0 = 0; k0 < args->k; k0 += kDepth) {
    const size_t depth = smaller(args->k - k0, kDepth);
    int32_t* steps = packed.steps + k0 / 4 * packed.padded;
    for (size_t row = 0; row < args->m; row += kGroupRows) {
      pack_rows(args, row, vectors_of_group(args->m - row), k0, depth, steps + row * depth / 4, packed.limits + k0 / 4);
    }
  }
  pair_limits(packed.limits, args->k / 4);
  return packed;
}

// The other kernel: tiles of few rows.
static inline void leave_to_few_rows(const GemmU8S8Args* args) {
  for (size_t column = 0; column < args->n; column += kTheirColumns) {
    const GemmU8S8Args columns = columns_of(args, column, kTheirColumns);
    for (size_t row = 0; row < args->m; row += kTheirRows) {
      const GemmU8S8Args part = rows_of(&columns, row, kTheirRows);
      gemm_u8s8f32_32x512c4_avx2(&part);
    }
  }
}

static inline void run(const GemmU8S8Args* args) {
  const PackedRows packed = pack_block(args);
  if (too_many_extras(args, packed)) return leave_to_few_rows(args);
  for (size_t column = 0; column < args->n; column += kPanelColumns) {
    const GemmU8S8Args panel = columns_of(args, column, kPanelColumns);
    multiply_panel(&panel, packed);
  }
}

}  // namespace

void gemm_u8s8f32_512x32c4_avx2(const GemmU8S8Args* args) {
  const size_t most = most_rows(args);
  if (args->m <= kFewRows || args->k == 0 || most <= kFewRows) return leave_to_few_rows(args);
  if (args->m <= rows_for_window(args->k) && args->large_pairs != nullptr && few_extras(args, kPairDepth))
    return leave_to_few_rows(args);
  const size_t parts = (args->m + most - 1) / most;
  const size_t rows = ((args->m + parts - 1) / parts + kGroupRows - 1) / kGroupRows * kGroupRows;
  for (size_t row = 0; row < args->m; row += rows) {
    const GemmU8S8Args part = rows_of(args, row, rows);
    run(&part);
  }
}

}  // namespace qgemm
