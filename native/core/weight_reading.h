#pragma once
#include <cstddef>

#include "core/dispatch.h"
#include "core/pack.h"

namespace qgemm {

/// How a call reads its int8 weights on this CPU: from where, and whether it asks for them before. What pays, and
/// where, was measured (docs/kernel-benchmarks.md).
struct WeightReading {
  size_t bytes_between;  // of any weights, since these were read last
  Weights weights;       // what the choice of a kernel depends on
  bool asked_for;
  bool in_shares;  // by each tile of a block; else by the last whole ones
  size_t ahead;    // by so few rows that a tile holds them all: so many bytes before they are read
};

/// For the next call with m rows; tells the weights that they are read.
WeightReading weight_reading(const PackedWeights& weights, size_t m);

}  // namespace qgemm
