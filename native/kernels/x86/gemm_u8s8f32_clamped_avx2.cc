// gemm_u8s8f32_128x128c4_avx2: many rows, exact for every weight, without VNNI.
// Instructions: vpmaddubsw, vpmaddwd, vpaddd: 3 per 32 multiply-adds. vpmaddubsw saturates where a pair of products
// leaves int16, which takes two weights of one sign whose sum is large: some percent of the pairs of real weights. Such
// a pair gives its excess away: w = clamped + excess, and the few excesses are multiplied as steps of their own, behind
// the others. How large a sum may be depends on the largest activation of the two k among all rows.
// Rows are lanes here, weights are broadcast: so a step of one column alone is as cheap per product as any other.
// Per 384 steps of k, the rows are transposed once ([k/4][32 rows][4], 48 KiB) and each panel is clamped once (12 KiB)
// for all rows. Tile in registers: 32 rows x 2 columns: 8 sums, 2 weights, activations, product, ones. Sums go on in
// memory, [128 columns][128 rows]. Panel: [k/4][32][4] int8. About 150 KiB of stack.
#include "kernels/bits.h"
#include "kernels/kernel.h"
#include "kernels/rows_of.h"
#include "kernels/vec/avx2.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"

namespace qgemm {

extern void gemm_u8s8f32_32x512c4_avx2(const GemmU8S8Args* args);

namespace {  // internal linkage: other files have functions of these names too

constexpr size_t kRows = 128, kColumns = 128;
constexpr size_t kGroupRows = 32;
constexpr size_t kUnclampedRows = 32;
constexpr size_t kDepth = 384;
constexpr size_t kMaxSteps = kDepth / 4;
constexpr size_t kStepBytes = 4 * kPanelColumns, kLine = 64;
constexpr size_t kFewRows = 16;   // for so few, clamping costs more than it saves
constexpr size_t kMaxExtras = 4;  // one of so many steps; with more, the other kernel is faster

// A step of one column: four weights, and which activations they meet.
struct Extra {
  int32_t weights;
  uint32_t step;
};

struct Scratch {
  alignas(64) int32_t rows[kRows / kGroupRows][kMaxSteps * kGroupRows];  // a group of V * 8 rows: [step][V * 8]
  alignas(64) int32_t limits[kMaxSteps];                                 // two int16: see pair_limits
  alignas(64) int32_t clamped[kMaxSteps * kPanelColumns];
  alignas(64) Extra extras[kPanelColumns][kMaxSteps + 1];
  uint32_t extra_counts[kPanelColumns];
  bool first;  // sums start at 0
  alignas(64) int32_t sums[kColumns * kRows];
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

// Splits one step of a panel; excess is 0 in most columns. One bit for each column where it is not.
static inline uint32_t clamp_step(const int8_t* b, int32_t limits, int32_t* clamped, int32_t* excess) {
  const __m256i one = _mm256_set1_epi8(1), zero = _mm256_setzero_si256();
  const __m256i most = _mm256_set1_epi32(limits), least = _mm256_sub_epi16(zero, most);
  __m256i none[4];
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
    const __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(b + 32 * v));
    const __m256i sum = _mm256_maddubs_epi16(one, w);
    const __m256i too_much = _mm256_sub_epi16(sum, _mm256_max_epi16(_mm256_min_epi16(sum, most), least));
    const __m256i odd = _mm256_slli_epi16(too_much, 8);
    i32_store(clamped + 8 * v, _mm256_sub_epi8(w, odd));
    i32_store(excess + 8 * v, odd);
    none[v] = _mm256_cmpeq_epi32(odd, zero);
  }
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(none[0], none[1]), _mm256_packs_epi32(none[2], none[3]));
  return ~static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_permutevar8x32_epi32(bytes, order)));
}

// Splits a panel into clamped weights and extras. Sums of opposite signs never reach a limit, which is 128 or more.
// What is too much is taken from the odd k: it has the sum's sign, and stays on its side of zero. Two steps share a
// loop over their extras: how often a loop runs cannot be foreseen, and every surprise costs the CPU some 20 cycles.
static inline void clamp_panel(const int8_t* b, size_t steps, Scratch* scratch) {
  memset(scratch->extra_counts, 0, sizeof scratch->extra_counts);
  for (size_t step = 0; step < steps; step += 2) {
    alignas(32) int32_t excess[2 * kPanelColumns];
    int32_t* clamped = scratch->clamped + step * kPanelColumns;
    const uint32_t low = clamp_step(b + step * kStepBytes, scratch->limits[step], clamped, excess);
    const uint32_t high = clamp_step(b + (step + 1) * kStepBytes, scratch->limits[step + 1], clamped + kPanelColumns,
                                     excess + kPanelColumns);
    uint64_t bits = low | static_cast<uint64_t>(high) << 32;
    const auto take = [&](size_t bit, uint32_t count) {
      const size_t column = bit % kPanelColumns;
      scratch->extras[column][scratch->extra_counts[column]] = {excess[bit],
                                                                static_cast<uint32_t>(step + bit / kPanelColumns)};
      scratch->extra_counts[column] += count;
    };
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      take(lowest_bit(bits | uint64_t{1} << 63), bits != 0);
      bits &= bits - 1;
    }
    for (; bits != 0; bits &= bits - 1) take(lowest_bit(bits), 1);
  }
  // Columns are multiplied two at a time: the shorter list of the two goes on with zeros.
  for (size_t column = 0; column < kPanelColumns; column += 2) {
    uint32_t* counts = scratch->extra_counts + column;
    while (counts[0] < counts[1]) scratch->extras[column][counts[0]++] = {0, 0};
    while (counts[1] < counts[0]) scratch->extras[column + 1][counts[1]++] = {0, 0};
  }
}

static inline void add_products(__m256i* sum, __m256i a, __m256i w) {
  const __m256i one = _mm256_set1_epi16(1);
  *sum = i32_add(*sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, w), one));
}

// kVectors * 8 rows x kCount columns from `column` of the panel on.
template <int kVectors, int kCount>
static inline void accumulate(const int32_t* rows, const Scratch& scratch, size_t column, size_t steps, int32_t* sums) {
  constexpr size_t kLd = 8 * kVectors;
  __m256i acc[kCount][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kCount * kVectors; ++i) {
    acc[i / kVectors][i % kVectors] =
        scratch.first ? _mm256_setzero_si256() : i32_load(sums + i / kVectors * kRows + i % kVectors * 8);
  }
#pragma GCC unroll 4
  for (size_t step = 0; step < steps; ++step) {
    __m256i w[kCount];
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) w[j] = _mm256_set1_epi32(scratch.clamped[step * kPanelColumns + column + j]);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const __m256i a = i32_load(rows + step * kLd + 8 * v);
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) add_products(&acc[j][v], a, w[j]);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < kCount; j += 2) {
    const Extra *x = scratch.extras[column + j], *y = scratch.extras[column + j + 1];
    for (size_t i = 0; i < scratch.extra_counts[column + j]; ++i) {
      const int32_t *a_x = rows + x[i].step * kLd, *a_y = rows + y[i].step * kLd;
      const __m256i w_x = _mm256_set1_epi32(x[i].weights), w_y = _mm256_set1_epi32(y[i].weights);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        add_products(&acc[j][v], i32_load(a_x + 8 * v), w_x);
        add_products(&acc[j + 1][v], i32_load(a_y + 8 * v), w_y);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kCount * kVectors; ++i) {
    i32_store(sums + i / kVectors * kRows + i % kVectors * 8, acc[i / kVectors][i % kVectors]);
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
      prefetch_l2(c);
      prefetch_l2(c + kLine);
    }
  }
};

// A group of rows against a panel.
template <int kVectors, int kCount>
static inline void multiply_panel(const int32_t* rows, const Scratch& scratch, size_t steps, int32_t* sums,
                                  Fetch* fetch) {
  for (size_t column = 0; column < kPanelColumns; column += kCount) {
    for (int i = 0; i < kCount; i += 2) fetch->some();
    accumulate<kVectors, kCount>(rows, scratch, column, steps, sums + column * kRows);
  }
}

static inline size_t vectors_of_group(size_t rows_left) {
  return rows_left >= kGroupRows ? kGroupRows / 8 : (rows_left + 7) / 8;
}

// The block after the one at `panel`: of the next panel, or else of the next k, or else of the next tile. Beyond the
// last tile there is nothing, but fetching is harmless.
static inline const int8_t* next_block(const GemmU8S8Args* args, const int8_t* panel, size_t column, size_t k0,
                                       size_t steps) {
  if (column + kPanelColumns < args->n) return panel + args->panel_stride;
  const size_t k1 = k0 + 4 * steps;
  return k1 < args->k ? args->b + k1 * kPanelColumns : panel - k0 * kPanelColumns + args->panel_stride;
}

static inline void multiply_block(const GemmU8S8Args* args, size_t k0, size_t steps, Scratch* scratch) {
  for (size_t column = 0; column < args->n; column += kPanelColumns) {
    const int8_t* panel = args->b + column / kPanelColumns * args->panel_stride + k0 * kPanelColumns;
    clamp_panel(panel, steps, scratch);
    const size_t groups = (args->m + kGroupRows - 1) / kGroupRows, lines = steps * kStepBytes / kLine;
    const bool last = k0 + 4 * steps == args->k && args->epilogue.output == nullptr;
    Fetch fetch = {next_block(args, panel, column, k0, steps), (lines / 16 + groups - 1) / groups, nullptr,
                   args->ldc * sizeof(float)};
    for (size_t row = 0; row < args->m; row += kGroupRows) {
      const int32_t* rows = scratch->rows[row / kGroupRows];
      int32_t* sums = scratch->sums + column * kRows + row;
      if (last) fetch.c = static_cast<const char*>(args->c) + (row * args->ldc + column) * sizeof(float);
      switch (vectors_of_group(args->m - row)) {
        case 4:
          multiply_panel<4, 2>(rows, *scratch, steps, sums, &fetch);
          break;
        case 3:
          multiply_panel<3, 2>(rows, *scratch, steps, sums, &fetch);
          break;
        case 2:
          multiply_panel<2, 4>(rows, *scratch, steps, sums, &fetch);
          break;
        default:
          multiply_panel<1, 8>(rows, *scratch, steps, sums, &fetch);
      }
    }
  }
}

// The epilogue wants rows: eight at a time, so that lines of c are written whole.
static inline void finish(const GemmU8S8Args* args, const Scratch& scratch) {
  alignas(32) int32_t tile[8 * kColumns];
  for (size_t row = 0; row < args->m; row += 8) {
    for (size_t j = 0; j < args->n; j += 8) {
      const uint8_t* sums = reinterpret_cast<const uint8_t*>(scratch.sums + j * kRows + row);
      I32 four_rows[4];
      for (size_t half = 0; half < 2; ++half) {
        i32_load_transposed(sums + 16 * half, kRows * sizeof(int32_t), four_rows);
        for (size_t i = 0; i < 4; ++i) i32_store(tile + (4 * half + i) * kColumns + j, four_rows[i]);
      }
    }
    const GemmU8S8Args part = rows_of(args, row, 8);
    epilogue_u8s8(tile, kColumns, &part);
  }
}

// Weights without a bell curve: evenly spread, or all of them large. The first panel speaks for the others.
static inline bool too_many_extras(const GemmU8S8Args* args, size_t steps, Scratch* scratch) {
  clamp_panel(args->b, steps, scratch);
  size_t count = 0;
  for (size_t column = 0; column < kPanelColumns; ++column) count += scratch->extra_counts[column];
  return count > steps * kPanelColumns / kMaxExtras;
}

static inline void run_unclamped(const GemmU8S8Args* args) {
  for (size_t row = 0; row < args->m; row += kUnclampedRows) {
    GemmU8S8Args part = rows_of(args, row, kUnclampedRows);
    gemm_u8s8f32_32x512c4_avx2(&part);
  }
}

// False when the weights have too many extras: nothing is done then, and the stack is free again.
static QGEMM_NOINLINE bool multiply_clamped(const GemmU8S8Args* args) {
  Scratch scratch;
  for (size_t k0 = 0; k0 < args->k; k0 += kDepth) {
    const size_t depth = args->k - k0 < kDepth ? args->k - k0 : kDepth;
    memset(scratch.limits, 0, sizeof scratch.limits);
    for (size_t row = 0; row < args->m; row += kGroupRows) {
      const size_t vectors = vectors_of_group(args->m - row);
      pack_rows(args, row, vectors, k0, depth, scratch.rows[row / kGroupRows], scratch.limits);
    }
    pair_limits(scratch.limits, depth / 4);
    if (k0 == 0 && too_many_extras(args, depth / 4, &scratch)) return false;
    scratch.first = k0 == 0;
    multiply_block(args, k0, depth / 4, &scratch);
  }
  finish(args, scratch);
  return true;
}

}  // namespace

void gemm_u8s8f32_128x128c4_avx2(const GemmU8S8Args* args) {
  if (args->m <= kFewRows) return gemm_u8s8f32_32x512c4_avx2(args);
  if (args->k == 0 || !multiply_clamped(args)) run_unclamped(args);
}

}  // namespace qgemm
