#pragma once
#include <cstdint>

namespace qgemm {

/// The points that the codes of ggml's IQ formats stand for: constants of the format, found by its authors' search.
/// Each has eight coordinates of 2 bits, or four of 4 bits in IQ3; the first is the lowest.
extern const uint16_t kIq1Lattice[2048];    // IQ1_S and IQ1_M; coordinates stand for -1, 0, 1
extern const uint16_t kIq2XxsLattice[256];  // those of IQ2 for 8, 25, 43
extern const uint16_t kIq2XsLattice[512];
extern const uint16_t kIq2SLattice[1024];
extern const uint16_t kIq3XxsLattice[256];  // for 4, 12, 20, 28, 36, 44, 52, 62
extern const uint16_t kIq3SLattice[512];    // for 1, 3, 5 ... 15

}  // namespace qgemm
