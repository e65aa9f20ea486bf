#pragma once
#include <cstdint>

namespace qgemm {
namespace bench {

/// GOPS (two per multiply-add) of a register-only loop over `instruction`, run for about `milliseconds` on this thread:
/// "vpdpbusd zmm", "vpdpbusd ymm", "vpmaddubsw ymm" (with vpmaddwd and vpaddd), "vpmaddwd ymm" (with vpaddd),
/// "vfmadd231ps zmm" or "vfmadd231ps ymm". 0 where this build has no such loop. The CPU must have the instruction.
double peak_gops(const char* instruction, double milliseconds);

}  // namespace bench
}  // namespace qgemm
