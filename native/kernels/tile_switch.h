// Runs the instance of a tile function template that fits a call: rows 1..kMaxRows, panels 1..kMaxPanels. The counts
// have to be compile-time constants, or the accumulators would not live in registers.
#pragma once
#include <stddef.h>

namespace qgemm {

template <template <int, int> class Tile, int kRows, int kPanels, typename Args, typename... More>
static inline void run_panels(size_t panels, const Args* args, More... more) {
  if constexpr (kPanels > 1) {
    if (panels < static_cast<size_t>(kPanels)) return run_panels<Tile, kRows, kPanels - 1>(panels, args, more...);
  }
  Tile<kRows, kPanels>::run(args, more...);
}

template <template <int, int> class Tile, int kMaxRows, int kMaxPanels, typename Args, typename... More>
static inline void run_tile(size_t rows, size_t panels, const Args* args, More... more) {
  if constexpr (kMaxRows > 1) {
    if (rows < static_cast<size_t>(kMaxRows)) {
      return run_tile<Tile, kMaxRows - 1, kMaxPanels>(rows, panels, args, more...);
    }
  }
  run_panels<Tile, kMaxRows, kMaxPanels>(panels, args, more...);
}

}  // namespace qgemm
