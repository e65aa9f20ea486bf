// gemm_u8s8f32_512x32c4_avx2: blocks of many rows, exact for every weight, without VNNI.
// Instructions: vpmaddubsw, vpmaddwd, vpaddd: 3 per 32 multiply-adds. vpmaddubsw saturates where a pair of products
// leaves int16, which takes two weights of one sign whose sum is large: some percent of the pairs of real weights. Such
// a pair gives its excess away: w = clamped + excess, and the few excesses are multiplied as steps of their own, behind
// the others. How large a sum may be depends on the largest activation of the two k among all rows. Excesses are small:
// mostly all of a column's products with them fit one sum in 16 bits, and then take 2 instructions each.
// Most steps are far from 16 bits too: where two of them fit together (pair_steps_avx2.h), vpaddw adds their products
// up first, 5 instructions per 64 multiply-adds: 7 % less time with 512 rows where three in four have a partner.
// Rows are lanes here, weights are broadcast: so a step of one column alone is as cheap per product as any other.
// Up to 512 rows are transposed once, into args->scratch: per 384 steps of k, [k/4][32 rows][4], 12 KiB, which stay in
// the level-1 cache while 32 columns pass by. Each panel is split once for all of these rows, 384 steps (12 KiB) at a
// time. Tile in registers: 32 rows x 2 columns: 8 sums, 2 or 4 weights, activations, products, ones. Sums go on in the
// scratch, [32 columns][rows]; those of 32 rows become results while they are in the level-1 cache.
// Some tens of rows are left to the kernel for few rows, which splits nothing. Panel: [k/4][32][4] int8.
#include "kernels/kernel.h"
#include "kernels/rows_of.h"
#include "kernels/vec/avx2.h"
#include "kernels/x86/packed_rows_avx2.h"
#include "kernels/x86/split_panel_avx2.h"
#include "kernels/x86/window_avx2.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
//
#include "kernels/x86/pair_steps_avx2.h"

namespace qgemm {

extern void gemm_u8s8f32_32x512c4_avx2(const GemmU8S8Args* args);

namespace {  // internal linkage: other files have functions of these names too

constexpr size_t kTheirRows = 32, kTheirColumns = 512;  // of the kernel for few rows
constexpr size_t kLine = 64;
constexpr size_t kFewRows = 16;   // for so few, clamping costs more than it saves
constexpr size_t kMaxExtras = 4;  // one of so many steps; with more, the other kernel is faster

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

// One step of kVectors * 8 rows and kCount columns.
template <int kVectors, int kCount>
static inline void add_step(const int32_t* rows, const int32_t* weights, __m256i (&sums)[kCount][kVectors]) {
  __m256i w[kCount];
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) w[j] = _mm256_set1_epi32(weights[j]);
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const __m256i a = i32_load(rows + 8 * v);
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) add_products(&sums[j][v], a, w[j]);
  }
}

// Two steps of a whole group of rows and two columns, whose products are added up in 16 bits.
static inline void add_two_steps(const int32_t* const* rows, const int32_t* const* weights, __m256i (&sums)[2][4]) {
  __m256i w[2][2];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) w[i / 2][i % 2] = _mm256_set1_epi32(weights[i / 2][i % 2]);
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
    const __m256i a = i32_load(rows[0] + 8 * v);
    __m256i products[2] = {_mm256_maddubs_epi16(a, w[0][0]), _mm256_maddubs_epi16(a, w[0][1])};
    const __m256i others = i32_load(rows[1] + 8 * v);
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      products[j] = _mm256_add_epi16(products[j], _mm256_maddubs_epi16(others, w[1][j]));
      sums[j][v] = i32_add(sums[j][v], _mm256_madd_epi16(products[j], _mm256_set1_epi16(1)));
#if defined(__GNUC__)
      __asm__("" : "+x"(sums[j][v]));  // in this order: gcc runs out of registers in others
#endif
    }
  }
}

// All steps of a whole group of rows and two columns, `merged` of them in pairs.
static inline void add_paired_steps(const int32_t* rows, const int32_t* weights, const uint16_t* steps, size_t merged,
                                    size_t count, __m256i (&sums)[2][4]) {
  const uint16_t *const merged_end = steps + merged, *const end = steps + count;
  for (; steps != merged_end; steps += 2) {
    const int32_t* const a[2] = {rows + steps[0], rows + steps[1]};
    const int32_t* const w[2] = {weights + steps[0], weights + steps[1]};
    add_two_steps(a, w, sums);
  }
  for (; steps != end; ++steps) add_step(rows + *steps, weights + *steps, sums);
}

// kVectors * 8 rows x kCount columns from `column` of the panel on. Two columns of a whole group may have their steps
// in pairs.
template <int kVectors, int kCount>
static inline void accumulate(const int32_t* rows, const SplitPanel& split, const PairedSteps* paired, size_t column,
                              size_t steps, bool first, int32_t* sums, size_t ld) {
  __m256i acc[kCount][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kCount * kVectors; ++i) {
    acc[i / kVectors][i % kVectors] =
        first ? _mm256_setzero_si256() : i32_load(sums + i / kVectors * ld + i % kVectors * 8);
  }
  const int32_t* weights = split.clamped + column;
  if constexpr (kVectors == 4 && kCount == 2) {
    if (paired != nullptr) {
      add_paired_steps(rows, weights, paired->steps[column / 2], paired->merged[column / 2], steps, acc);
      steps = 0;
    }
  }
#pragma GCC unroll 4
  for (size_t step = 0; step < steps; ++step) {
    add_step(rows + step * 8 * kVectors, weights + step * kPanelColumns, acc);
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
static inline void multiply_group(const int32_t* rows, const SplitPanel& split, const PairedSteps* paired,
                                  size_t columns, size_t steps, bool first, int32_t* sums, size_t ld, Fetch* fetch) {
  for (size_t column = 0; column < columns; column += kCount) {
    for (int i = 0; i < kCount; i += 2) fetch->some();
    accumulate<kVectors, kCount>(rows, split, paired, column, steps, first, sums + column * ld, ld);
  }
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
static inline void multiply_panel(const GemmU8S8Args* args, const PackedRows& packed, bool pair) {
  SplitPanel split;
  PairedSteps paired;
  const size_t groups = (packed.count + kGroupRows - 1) / kGroupRows;
  for (size_t k0 = 0; k0 < args->k; k0 += kDepth) {
    const size_t steps = smaller(args->k - k0, kDepth) / 4, lines = steps * kStepBytes / kLine;
    split_panel(args->b + k0 * kPanelColumns, steps, packed.limits + k0 / 4, &split);
    const PairedSteps* const pairs = pair ? &paired : nullptr;
    if (pairs != nullptr) pair_steps(split.clamped, steps, packed.limits + k0 / 4, &paired);
    const bool first = k0 == 0, last = k0 + 4 * steps == args->k;
    const bool fetch_results = last && args->c_is_far && args->epilogue.output == nullptr;
    Fetch fetch = {next_block(args, k0, steps), (lines / 16 + groups - 1) / groups, nullptr, args->ldc * sizeof(float)};
    for (size_t row = 0; row < packed.count; row += kGroupRows) {
      const int32_t* rows = packed.steps + k0 / 4 * packed.padded + row * steps;
      int32_t* sums = packed.sums + row;
      if (fetch_results) fetch.c = static_cast<const char*>(args->c) + row * args->ldc * sizeof(float);
      switch (vectors_of_group(packed.count - row)) {
        case 4:
          multiply_group<4, 2>(rows, split, pairs, args->n, steps, first, sums, packed.ld, &fetch);
          break;
        case 3:
          multiply_group<3, 2>(rows, split, pairs, args->n, steps, first, sums, packed.ld, &fetch);
          break;
        case 2:
          multiply_group<2, 4>(rows, split, pairs, args->n, steps, first, sums, packed.ld, &fetch);
          break;
        default:
          multiply_group<1, 8>(rows, split, pairs, args->n, steps, first, sums, packed.ld, &fetch);
      }
      if (last) finish_group(args, packed, row);
    }
  }
}

enum class Way { few_rows, single_steps, paired_steps };

// The first panel speaks for the others. Weights without a bell curve, evenly spread or all of them large, are better
// off with the other kernel. The more a bell's ends are drawn out, the more steps can be merged: most in real layers.
static QGEMM_NOINLINE Way best_way(const GemmU8S8Args* args, const PackedRows& packed) {
  SplitPanel split;
  const size_t steps = smaller(args->k, kDepth) / 4;
  split_panel(args->b, steps, packed.limits, &split);
  size_t extras = 0, merged = 0;
  for (size_t column = 0; column < kPanelColumns; ++column) extras += split.extra_counts[column];
  if (extras > steps * kPanelColumns / kMaxExtras) return Way::few_rows;
  const size_t groups = (packed.count + kGroupRows - 1) / kGroupRows;
  if (groups < 2) return Way::single_steps;
  PairedSteps paired;
  pair_steps(split.clamped, steps, packed.limits, &paired);
  for (const uint32_t count : paired.merged) merged += count;
  // It pays where more than 0.4 + 0.8 / groups of the steps are merged: looking for pairs costs the same for any number
  // of groups, and loops that end unforeseen cost for each (docs/kernel-benchmarks.md).
  const size_t most = kPanelColumns / 2 * steps;
  return 5 * groups * merged > (2 * groups + 4) * most ? Way::paired_steps : Way::single_steps;
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
  const Way way = best_way(args, packed);
  if (way == Way::few_rows) return leave_to_few_rows(args);
  for (size_t column = 0; column < args->n; column += kPanelColumns) {
    const GemmU8S8Args panel = columns_of(args, column, kPanelColumns);
    multiply_panel(&panel, packed, way == Way::paired_steps);
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
