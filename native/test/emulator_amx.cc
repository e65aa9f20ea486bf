#include "test/emulator_state.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cstring>

namespace qgemm {
namespace test {
namespace {

constexpr int kMap0F38 = 2, kNone = 0, k66 = 1, kF3 = 2, kF2 = 3;
constexpr size_t kTiles = 8, kMaxRows = 16, kRowBytes = 64;

// A thread's tile registers and their configuration.
struct Tiles {
  uint8_t rows[kTiles];
  uint16_t column_bytes[kTiles];
  uint8_t data[kTiles][kMaxRows][kRowBytes];
};
thread_local Tiles tiles;

// LDTILECFG: 64 bytes, bytes per row at 16, rows at 48.
void load_configuration(const uint8_t* memory) {
  memset(&tiles, 0, sizeof tiles);
  memcpy(tiles.column_bytes, memory + 16, sizeof tiles.column_bytes);
  memcpy(tiles.rows, memory + 48, sizeof tiles.rows);
}

void load(int tile, const Decoded& instruction) {
  memset(tiles.data[tile], 0, sizeof tiles.data[tile]);
  for (int row = 0; row < tiles.rows[tile]; ++row) {
    memcpy(tiles.data[tile][row], reinterpret_cast<const void*>(instruction.address + row * instruction.stride),
           tiles.column_bytes[tile]);
  }
}

void store(int tile, const Decoded& instruction) {
  for (int row = 0; row < tiles.rows[tile]; ++row) {
    memcpy(reinterpret_cast<void*>(instruction.address + row * instruction.stride), tiles.data[tile][row],
           tiles.column_bytes[tile]);
  }
}

// TDPBUSD: c[m][n] += sum over k, i of a[m][4k + i] (uint8) * b[k][4n + i] (int8), modulo 2^32.
void multiply(int c, int a, int b) {
  for (int m = 0; m < tiles.rows[c]; ++m) {
    for (int n = 0; n < tiles.column_bytes[c] / 4; ++n) {
      uint32_t sum;
      memcpy(&sum, &tiles.data[c][m][4 * n], 4);
      for (int k = 0; k < tiles.column_bytes[a] / 4; ++k) {
        for (int i = 0; i < 4; ++i) {
          sum += static_cast<uint32_t>(static_cast<int32_t>(tiles.data[a][m][4 * k + i]) *
                                       static_cast<int8_t>(tiles.data[b][k][4 * n + i]));
        }
      }
      memcpy(&tiles.data[c][m][4 * n], &sum, 4);
    }
  }
}

}  // namespace

bool emulate_amx(const Decoded& i) {
  if (i.map != kMap0F38 || i.length != 0) return false;
  if (i.opcode == 0x49 && i.pp == kNone && i.memory) {
    load_configuration(reinterpret_cast<const uint8_t*>(i.address));
  } else if (i.opcode == 0x49 && i.pp == kNone) {
    memset(&tiles, 0, sizeof tiles);  // TILERELEASE
  } else if (i.opcode == 0x49 && i.pp == kF2 && !i.memory) {
    memset(tiles.data[i.reg], 0, sizeof tiles.data[i.reg]);  // TILEZERO
  } else if (i.opcode == 0x4b && (i.pp == kF2 || i.pp == k66) && i.memory) {
    load(i.reg, i);  // TILELOADD, and TILELOADDT1, which differs in what it does to caches
  } else if (i.opcode == 0x4b && i.pp == kF3 && i.memory) {
    store(i.reg, i);
  } else if (i.opcode == 0x5e && i.pp == k66 && !i.memory) {
    multiply(i.reg, i.rm, i.vvvv);
  } else {
    return false;
  }
  return true;
}

}  // namespace test
}  // namespace qgemm

#endif
