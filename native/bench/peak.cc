// Register-only loops: how many multiply-adds per second this core does when nothing comes from memory. The benchmark
// runs them beside its samples and quotes kernels in percent of them. Inline assembly, so that the file needs no flags
// and no compiler can fold the loop; callers check the CPU's features first (bench/calibrate.mjs).
#include "bench/peak.h"

#include <chrono>
#include <cstring>

namespace qgemm {
namespace bench {
namespace {

#if defined(__x86_64__) && defined(__GNUC__)

// Fourteen independent accumulators cover the latency of every instruction here; 0 and 1 are the operands.
#define QGEMM_FOURTEEN(line)                                                                                       \
  line("2") line("3") line("4") line("5") line("6") line("7") line("8") line("9") line("10") line("11") line("12") \
      line("13") line("14") line("15")
#define QGEMM_CLOBBERS                                                                                                \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
      "xmm14", "xmm15", "cc"
#define QGEMM_LOOP(name, zero, line)                                                 \
  void name(uint64_t steps) {                                                        \
    __asm__ volatile(zero "1:\n" QGEMM_FOURTEEN(line) "dec %0\njnz 1b\nvzeroupper\n" \
                     : "+r"(steps)                                                   \
                     :                                                               \
                     : QGEMM_CLOBBERS);                                              \
  }

#define QGEMM_VPDPBUSD_ZMM(r) "vpdpbusd %%zmm0, %%zmm1, %%zmm" r "\n"
#define QGEMM_VPDPBUSD_YMM(r) "%{vex%} vpdpbusd %%ymm0, %%ymm1, %%ymm" r "\n"
#define QGEMM_FMA_ZMM(r) "vfmadd231ps %%zmm0, %%zmm1, %%zmm" r "\n"
#define QGEMM_FMA_YMM(r) "vfmadd231ps %%ymm0, %%ymm1, %%ymm" r "\n"
// What stands for vpdpbusd without VNNI.
#define QGEMM_MADDUBS_YMM(r) \
  "vpmaddubsw %%ymm1, %%ymm1, %%ymm0\nvpmaddwd %%ymm1, %%ymm0, %%ymm0\nvpaddd %%ymm0, %%ymm" r ", %%ymm" r "\n"
// vpmaddwd needs an addition: ymm0 takes the products of the even registers' neighbours.
#define QGEMM_MADD_YMM(r) "vpmaddwd %%ymm1, %%ymm1, %%ymm0\nvpaddd %%ymm0, %%ymm" r ", %%ymm" r "\n"
#define QGEMM_ZERO_OPERANDS "vzeroall\n"

QGEMM_LOOP(vpdpbusd_zmm, QGEMM_ZERO_OPERANDS, QGEMM_VPDPBUSD_ZMM)
QGEMM_LOOP(vpdpbusd_ymm, QGEMM_ZERO_OPERANDS, QGEMM_VPDPBUSD_YMM)
QGEMM_LOOP(fma_zmm, QGEMM_ZERO_OPERANDS, QGEMM_FMA_ZMM)
QGEMM_LOOP(fma_ymm, QGEMM_ZERO_OPERANDS, QGEMM_FMA_YMM)
QGEMM_LOOP(maddubs_ymm, QGEMM_ZERO_OPERANDS, QGEMM_MADDUBS_YMM)
QGEMM_LOOP(madd_ymm, QGEMM_ZERO_OPERANDS, QGEMM_MADD_YMM)

struct Loop {
  const char* name;
  void (*run)(uint64_t steps);
  double multiply_adds;  // per step
};

constexpr Loop kLoops[] = {
    {"vpdpbusd zmm", vpdpbusd_zmm, 14 * 64},  {"vpdpbusd ymm", vpdpbusd_ymm, 14 * 32},
    {"vpmaddubsw ymm", maddubs_ymm, 14 * 32}, {"vpmaddwd ymm", madd_ymm, 14 * 16},
    {"vfmadd231ps zmm", fma_zmm, 14 * 16},    {"vfmadd231ps ymm", fma_ymm, 14 * 8},
};

#else

struct Loop {
  const char* name;
  void (*run)(uint64_t steps);
  double multiply_adds;
};
constexpr Loop kLoops[] = {{"", nullptr, 0}};

#endif

}  // namespace

double peak_gops(const char* instruction, double milliseconds) {
  for (const Loop& loop : kLoops) {
    if (loop.run == nullptr || std::strcmp(loop.name, instruction) != 0) continue;
    using Clock = std::chrono::steady_clock;
    constexpr uint64_t kSteps = 20000;
    double steps = 0, seconds = 0;
    const auto start = Clock::now();
    do {
      loop.run(kSteps);
      steps += kSteps;
      seconds = std::chrono::duration<double>(Clock::now() - start).count();
    } while (seconds * 1e3 < milliseconds);
    return 2 * loop.multiply_adds * steps / seconds * 1e-9;
  }
  return 0;
}

}  // namespace bench
}  // namespace qgemm
