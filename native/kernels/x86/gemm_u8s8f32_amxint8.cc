// gemm_u8s8f32_32x32c4_amxint8
// Instructions: tdpbusd (16 rows of uint8 times 16 columns of int8, 64 steps of k, into 16x16 int32), tileloadd,
// tilestored. Tiles: 4 of sums (two rows of tiles times two columns, or one times four), 2 of activations, 2 of
// weights: all 8. Per 64 steps of k: 4 (5) tile loads for 4 tdpbusd.
// Panel: [k/4][32][4] int8; sixteen panel rows of 128 bytes hold two operands side by side, 64 bytes each.
// Takes a whole block at once, any number of rows and columns: setting up the tiles takes 50 ns, and a tile's epilogue
// runs on the vector units while the matrix unit multiplies the next tile. 32 rows of activations stay in the level-1
// cache while weights pass by it (tileloaddt1): what the loop is short of is bytes from level 2.
#include "kernels/kernel.h"
#include "kernels/vec/avx512.h"
#include "kernels/x86/whole_lines_avx512.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"

namespace qgemm {
namespace {

constexpr size_t kTileRows = 16, kTileColumns = 16, kTileDepth = 64, kCacheLine = 64;
constexpr size_t kWeightTileBytes = kPanelColumns * kTileDepth,
                 kLines = kWeightTileBytes / kCacheLine;  // of one panel, 64 steps of k: two tiles side by side
constexpr size_t kGroupBytes = size_t{256} << 10;         // an eighth of the level-2 cache of all CPUs with this unit
constexpr size_t kChunkDepth = 1024;                      // 32 rows of it take two thirds of the level-1 cache
// Register tiles whose sums lie in memory: those of a group wait for the next chunk of k, one becomes results.
constexpr size_t kSlots = 8;

// What ldtilecfg reads (Intel SDM volume 2A, LDTILECFG).
struct alignas(64) TileConfig {
  uint8_t palette, start_row, reserved[14];
  uint16_t column_bytes[16];
  uint8_t rows[16];
};

// Tiles 0 to 3: sums; 4, 5: activations; 6, 7: weights.
static inline void configure_tiles(size_t rows) {
  TileConfig config = {};
  config.palette = 1;
  for (int t = 0; t < 8; ++t) {
    config.rows[t] = static_cast<uint8_t>(t < 6 ? rows : kTileDepth / 4);
    config.column_bytes[t] = 64;
  }
  _tile_loadconfig(&config);
}

// A register tile whose sums are in memory, on its way to becoming results: some rows at a time.
struct Finished {
  GemmU8S8Args args;  // of this tile
  int32_t* sums;
  size_t ld, next_row;
  bool plain;
};

// Of what args point at, all that a tile at `row` and `column` of the block needs.
static inline void place(Finished* tile, const GemmU8S8Args* block, size_t row, size_t m, size_t column, size_t n) {
  GemmU8S8Args* part = &tile->args;
  part->m = m;
  part->n = n;
  const size_t value_bytes = block->epilogue.output != nullptr ? 1 : sizeof(float);
  part->c = static_cast<char*>(block->c) + (row * block->ldc + column) * value_bytes;
  if (block->a_scales) part->a_scales = block->a_scales + row;
  if (block->a_zero_points) part->a_zero_points = block->a_zero_points + row;
  if (block->a_row_sums) part->a_row_sums = block->a_row_sums + row;
  if (block->b_scales) part->b_scales = block->b_scales + column;
  part->b_column_sums = block->b_column_sums + column;
  if (block->b_zero_points) part->b_zero_points = block->b_zero_points + column;
  if (block->epilogue.bias) part->epilogue.bias = block->epilogue.bias + column;
  if (block->epilogue.residual) {
    part->epilogue.residual = block->epilogue.residual + row * block->epilogue.ld_residual + column;
  }
  tile->next_row = 0;
  tile->plain = is_plain(part);
}

static inline void finish_rows(Finished* tile, size_t rows) {
  const size_t first = tile->next_row, left = tile->args.m - first, last = first + (rows < left ? rows : left);
  if (first == last) return;
  tile->next_row = last;
  if (tile->plain) {
    epilogue_plain_rows(tile->sums, tile->ld, &tile->args, first, last);
  } else {
    epilogue_u8s8_rows(tile->sums, tile->ld, &tile->args, first, last);
  }
}

// Whether all of a tile of one panel is to be finished, and is plain: most are.
static inline bool is_plain_panel(const Finished* tile) {
  return tile->plain && tile->next_row == 0 && tile->args.m > 0 && tile->args.n == kPanelColumns;
}

// Such a tile with what belongs to its columns in registers: 5 % of all time with K = 768.
struct PlainPanel {
  PlainColumns left, right;
  const int32_t* sums;
  size_t ld, ldc, rows;  // rows that are left
  const int32_t* zero_points;
  const float* scales;
  float* c;
  LineShift shift;
};

static inline PlainPanel plain_panel(const Finished* tile) {
  const GemmU8S8Args* args = &tile->args;
  return {plain_columns(args, 0),
          plain_columns(args, kLanes),
          tile->sums,
          tile->ld,
          args->ldc,
          args->m,
          args->a_zero_points,
          args->a_scales,
          static_cast<float*>(args->c),
          line_shift(args)};
}

static inline void finish_rows(PlainPanel* tile, size_t rows) {
  const size_t now = rows < tile->rows ? rows : tile->rows;
  tile->rows -= now;
  for (size_t i = 0; i < now; ++i) {
    const I32 zero_point = i32_set1(*tile->zero_points++);
    const F32 scale = f32_set1(*tile->scales++);
    const F32 y[2] = {plain_result(i32_load(tile->sums), zero_point, scale, &tile->left),
                      plain_result(i32_load(tile->sums + kLanes), zero_point, scale, &tile->right)};
    store_row(tile->c, y, tile->shift);
    tile->sums += tile->ld;
    tile->c += tile->ldc;
  }
}

// Some steps of k of one register tile.
struct Part {
  const uint8_t* a;
  size_t lda, lower;  // the second row of tiles begins `lower` rows below the first
  const int8_t* b;
  size_t panel_stride;
  size_t steps;       // of 64 k
  const char* ahead;  // what is asked for meanwhile, in each step from here on 2 KiB further,
  size_t lines;       // so many cache lines (of each panel)
  bool goes_on;       // from sums that are there
  int32_t* sums;      // rows of kColumnTiles * 16
};

// Sums of kRowTiles x kColumnTiles tiles. Meanwhile `before`, a Finished or a PlainPanel of `rows` rows, is finished.
template <int kRowTiles, int kColumnTiles, typename Before>
static inline void multiply_and_finish(const Part& part, Before* before, size_t rows) {
  const size_t lda = part.lda, steps = part.steps, panel_stride = part.panel_stride, lower = part.lower;
  const size_t rows_each_step = steps == 0 ? 0 : (rows + steps - 1) / steps;
  const uint8_t* a = part.a;
  const int8_t* b = part.b;
  const char* ahead = part.ahead;
  // The second tile is right of the first, the third below it, or right of the second.
  constexpr bool kFourColumns = kColumnTiles > 2, kRight = kColumnTiles > 1, kBelow = kRowTiles > 1;
  constexpr size_t kLd = kColumnTiles * kTileColumns, kRowBytes = kLd * sizeof(int32_t);
  int32_t* const right = part.sums + kTileColumns;
  int32_t* const third = part.sums + (kFourColumns ? 2 * kTileColumns : lower * kLd);
  int32_t* const fourth = third + kTileColumns;
  if (part.goes_on) {
    _tile_loadd(0, part.sums, kRowBytes);
    if (kRight) _tile_loadd(1, right, kRowBytes);
    if (kBelow || kFourColumns) _tile_loadd(2, third, kRowBytes);
    if ((kBelow && kRight) || kFourColumns) _tile_loadd(3, fourth, kRowBytes);
  } else {
    _tile_zero(0);
    if (kRight) _tile_zero(1);
    if (kBelow || kFourColumns) _tile_zero(2);
    if ((kBelow && kRight) || kFourColumns) _tile_zero(3);
  }
  for (size_t step = 0; step < steps; ++step) {
    _tile_stream_loadd(6, b, 4 * kPanelColumns);
    _tile_loadd(4, a, lda);
    _tile_dpbusd(0, 4, 6);
    if (kRight) {
      _tile_stream_loadd(7, b + 64, 4 * kPanelColumns);
      _tile_dpbusd(1, 4, 7);
    }
    if (kBelow) {
      _tile_loadd(5, a + lower * lda, lda);
      _tile_dpbusd(2, 5, 6);
      if (kRight) _tile_dpbusd(3, 5, 7);
    } else if (kFourColumns) {
      _tile_stream_loadd(6, b + panel_stride, 4 * kPanelColumns);
      _tile_dpbusd(2, 4, 6);
      _tile_stream_loadd(7, b + panel_stride + 64, 4 * kPanelColumns);
      _tile_dpbusd(3, 4, 7);
    }
    for (size_t line = 0; line < part.lines; ++line) {
      _mm_prefetch(ahead + line * kCacheLine, _MM_HINT_T0);
      if (kFourColumns) _mm_prefetch(ahead + panel_stride + line * kCacheLine, _MM_HINT_T0);
    }
    ahead += kWeightTileBytes;
    finish_rows(before, rows_each_step);
    a += kTileDepth;
    b += kWeightTileBytes;
  }
  finish_rows(before, rows);
  _tile_stored(0, part.sums, kRowBytes);
  if (kRight) _tile_stored(1, right, kRowBytes);
  if (kBelow || kFourColumns) _tile_stored(2, third, kRowBytes);
  if ((kBelow && kRight) || kFourColumns) _tile_stored(3, fourth, kRowBytes);
}

template <int kRowTiles, int kColumnTiles>
static void multiply(const Part& part, Finished* before) {
  if (is_plain_panel(before)) {
    PlainPanel panel = plain_panel(before);
    multiply_and_finish<kRowTiles, kColumnTiles>(part, &panel, panel.rows);
    before->next_row = before->args.m;
  } else {
    multiply_and_finish<kRowTiles, kColumnTiles>(part, before, before->args.m - before->next_row);
  }
}

static inline void multiply(size_t row_tiles, size_t columns, const Part& part, Finished* before) {
  if (row_tiles == 2) return columns > kTileColumns ? multiply<2, 2>(part, before) : multiply<2, 1>(part, before);
  if (columns > kPanelColumns) return multiply<1, 4>(part, before);
  return columns > kTileColumns ? multiply<1, 2>(part, before) : multiply<1, 1>(part, before);
}

static inline size_t row_of_sums(size_t columns) {
  return columns <= kTileColumns ? kTileColumns : columns <= kPanelColumns ? kPanelColumns : 2 * kPanelColumns;
}

static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t quotient_up(size_t a, size_t b) { return (a + b - 1) / b; }

// Far weights are asked for: by up to two rows of tiles, which read them once, some steps ahead; by more while the
// group before is multiplied, each pair of rows of tiles for its share.
constexpr size_t kAskAhead = 6144;  // bytes

// How a block is gone through: groups of panels that stay in the level-2 cache while all rows meet them, pairs of rows
// of tiles, chunks of k whose activations stay in the level-1 cache while the panels of the group pass by, panels.
struct Plan {
  size_t tiles, rows;    // rows of tiles, and what each has: equally many
  size_t pairs;          // of rows of tiles
  size_t width;          // panels at a time
  size_t panels, group;  // of the block, and of a group
  size_t depth;          // of a chunk
};

static inline Plan plan_of(const GemmU8S8Args* args) {
  Plan plan;
  plan.tiles = quotient_up(args->m, kTileRows);
  plan.rows = quotient_up(args->m, plan.tiles);
  plan.pairs = (plan.tiles + 1) / 2;
  plan.width = plan.tiles == 1 ? 2 : 1;
  plan.panels = quotient_up(args->n, kPanelColumns);
  const size_t fit = kGroupBytes / (args->panel_stride + 1) / plan.width * plan.width;
  plan.group = fit < plan.width ? plan.width : fit;
  // Rows that stay in level 1 for one or two panels only are not worth storing all sums in between.
  const bool many_panels = plan.group > 2 * plan.width;
  const size_t chunks = plan.pairs > 1 && many_panels && args->k > 0 ? quotient_up(args->k, kChunkDepth) : 1;
  plan.depth = quotient_up(quotient_up(args->k, chunks), kTileDepth) * kTileDepth;
  if (chunks > 1) plan.group = smaller(plan.group, (kSlots - 1) / plan.width * plan.width);
  return plan;
}

}  // namespace

void gemm_u8s8f32_32x32c4_amxint8(const GemmU8S8Args* args) {
  const Plan plan = plan_of(args);
  configure_tiles(plan.rows);
  alignas(64) int32_t sums[kSlots][2 * kTileRows * kPanelColumns];
  size_t slot = 0;
  Finished finished = {};
  finished.args = *args;
  finished.args.m = 0;
  Part part = {};
  part.lda = args->lda;
  part.panel_stride = args->panel_stride;
  const size_t last_start = args->m - plan.rows;
  for (size_t first = 0; first < plan.panels; first += plan.group) {
    const size_t last = smaller(first + plan.group, plan.panels);
    for (size_t pair = 0; pair < plan.pairs; ++pair, slot += last - first) {
      // The last row of tiles begins early enough to end with the block: it computes some rows a second time, and
      // finishes only its own.
      const size_t row = 2 * pair * plan.rows, row_tiles = smaller(2, plan.tiles - 2 * pair);
      const size_t start = smaller(row, last_start), second = smaller(start + plan.rows, last_start);
      const size_t rows = (row_tiles == 2 ? second + plan.rows : args->m) - row;
      part.lower = second - start;
      const size_t lines = quotient_up(kLines, plan.pairs), first_line = smaller(pair * lines, kLines);
      const size_t share = smaller(lines, kLines - first_line);
      size_t k = 0;
      do {  // once when there is no k at all: results are then bias and activation
        const size_t depth = smaller(plan.depth, args->k - k);
        part.a = args->a + start * args->lda + k;
        part.steps = depth / kTileDepth;
        part.goes_on = k != 0;
        for (size_t panel = first; panel < last; panel += plan.width) {
          const size_t column = panel * kPanelColumns, columns = smaller(args->n - column, plan.width * kPanelColumns);
          part.b = args->b + panel * args->panel_stride + k * kPanelColumns;
          const bool more = plan.pairs == 1 || panel + plan.group < plan.panels || args->next != nullptr;
          part.lines = args->ask_ahead != 0 && more ? share : 0;
          part.ahead = reinterpret_cast<const char*>(part.b) +
                       (plan.pairs == 1 ? kAskAhead : plan.group * args->panel_stride + first_line * kCacheLine);
          part.sums = sums[(slot + panel - first) % kSlots];
          multiply(row_tiles, columns, part, &finished);
          if (k + depth < args->k) continue;
          finished.ld = row_of_sums(columns);
          finished.sums = part.sums + (row - start) * finished.ld;
          place(&finished, args, row, rows, column, columns);
        }
        k += plan.depth;
      } while (k < args->k);
    }
  }
  _tile_release();
  finish_rows(&finished, args->m);
}

}  // namespace qgemm
