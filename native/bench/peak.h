#pragma once
#include <cstdint>

namespace qgemm {
namespace bench {

enum class Precision { int8, float32 };

/// What the GEMM kernels of an ISA tag multiply with, as `peak_gops` takes it: "vpdpbusd zmm" for avx512vnni and int8.
/// "" where there is no loop for it.
const char* peak_instruction(Precision precision, const char* isa);

/// GOPS (two per multiply-add) of a register-only loop over `instruction`, run for about `milliseconds` on this thread.
/// 0 where this build has no such loop. The CPU must have the instruction.
double peak_gops(const char* instruction, double milliseconds);

/// `steps` turns of that loop: the same work each time, for comparing latencies beside busy neighbours.
void register_loop(const char* instruction, uint64_t steps);

}  // namespace bench
}  // namespace qgemm
