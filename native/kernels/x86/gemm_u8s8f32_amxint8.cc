// gemm_u8s8f32_32x32c4_amxint8
// Instructions: tdpbusd (16 rows of uint8 times 16 columns of int8, 64 steps of k, into 16x16 int32), tileloadd,
// tilestored. Tiles: 4 of sums (2x2), 2 of activations, 2 of weights: all 8. Per 64 steps of k: 4 tile loads for 4
// tdpbusd. Up to 16 rows one row of tiles does.
// Panel: [k/4][32][4] int8; sixteen panel rows of 128 bytes hold two operands side by side, 64 bytes each.
// Below 16 rows the matrix unit idles: dispatch gives those to the AVX512-VNNI kernels, over the same panels.
#include "kernels/kernel.h"
#include "kernels/vec/avx512.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"

namespace qgemm {

// What ldtilecfg reads (Intel SDM volume 2A, LDTILECFG).
struct alignas(64) TileConfig {
  uint8_t palette, start_row, reserved[14];
  uint16_t column_bytes[16];
  uint8_t rows[16];
};

static inline void configure_tiles(size_t upper_rows, size_t lower_rows) {
  TileConfig config = {};
  config.palette = 1;
  const uint8_t rows[8] = {static_cast<uint8_t>(upper_rows),
                           static_cast<uint8_t>(upper_rows),
                           static_cast<uint8_t>(lower_rows),
                           static_cast<uint8_t>(lower_rows),
                           static_cast<uint8_t>(upper_rows),
                           static_cast<uint8_t>(lower_rows),
                           16,
                           16};
  for (int t = 0; t < 8; ++t) {
    config.rows[t] = rows[t];
    config.column_bytes[t] = rows[t] != 0 ? 64 : 0;
  }
  _tile_loadconfig(&config);
}

// Tiles 0 1 / 2 3: sums; 4 / 5: activations of the upper and lower rows; 6, 7: weights of the left and right columns.
static inline void accumulate_one_row(const GemmU8S8Args* args) {
  _tile_zero(0);
  _tile_zero(1);
  for (size_t k = 0; k < args->k; k += 64) {
    const int8_t* b = args->b + k * kPanelColumns;
    _tile_loadd(4, args->a + k, args->lda);
    _tile_loadd(6, b, 4 * kPanelColumns);
    _tile_loadd(7, b + 64, 4 * kPanelColumns);
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
  }
}

static inline void accumulate_two_rows(const GemmU8S8Args* args) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const uint8_t* lower = args->a + 16 * args->lda;
  for (size_t k = 0; k < args->k; k += 64) {
    const int8_t* b = args->b + k * kPanelColumns;
    _tile_loadd(4, args->a + k, args->lda);
    _tile_loadd(6, b, 4 * kPanelColumns);
    _tile_dpbusd(0, 4, 6);
    _tile_loadd(7, b + 64, 4 * kPanelColumns);
    _tile_dpbusd(1, 4, 7);
    _tile_loadd(5, lower + k, args->lda);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
}

void gemm_u8s8f32_32x32c4_amxint8(const GemmU8S8Args* args) {
  alignas(64) int32_t tile[32 * kPanelColumns];
  constexpr size_t kRowBytes = kPanelColumns * sizeof(int32_t);
  const size_t upper_rows = args->m < 16 ? args->m : 16;
  configure_tiles(upper_rows, args->m - upper_rows);
  if (args->m <= 16) {
    accumulate_one_row(args);
  } else {
    accumulate_two_rows(args);
    _tile_stored(2, tile + 16 * kPanelColumns, kRowBytes);
    _tile_stored(3, tile + 16 * kPanelColumns + 16, kRowBytes);
  }
  _tile_stored(0, tile, kRowBytes);
  _tile_stored(1, tile + 16, kRowBytes);
  _tile_release();
  epilogue_u8s8(tile, kPanelColumns, args);
}

}  // namespace qgemm
