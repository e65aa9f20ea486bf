// Register-only loops: how many multiply-adds per second this core does when nothing comes from memory. The benchmarks
// run them beside their samples and quote kernels in percent of them. Inline assembly, so that the file needs no flags
// and no compiler can fold the loop; callers look at the CPU's features first.
#include "bench/peak.h"

#include <chrono>
#include <cstring>

namespace qgemm {
namespace bench {
namespace {

struct Loop {
  const char* name;
  void (*run)(uint64_t steps);
  double multiply_adds;  // per step
};

struct Use {
  const char* isa;
  const char* int8;
  const char* float32;
};

#if defined(__x86_64__) && defined(__GNUC__)

// Fourteen independent accumulators cover the latency of every instruction here; 0 and 1 are the operands.
#define QGEMM_FOURTEEN(line)                                                                                       \
  line("2") line("3") line("4") line("5") line("6") line("7") line("8") line("9") line("10") line("11") line("12") \
      line("13") line("14") line("15")
#define QGEMM_CLOBBERS                                                                                                \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
      "xmm14", "xmm15", "cc"
#define QGEMM_LOOP(name, zero, line, end)                                                                       \
  void name(uint64_t steps) {                                                                                   \
    __asm__ volatile(zero "1:\n" QGEMM_FOURTEEN(line) "dec %0\njnz 1b\n" end : "+r"(steps) : : QGEMM_CLOBBERS); \
  }

#define QGEMM_VPDPBUSD_ZMM(r) "vpdpbusd %%zmm0, %%zmm1, %%zmm" r "\n"
#define QGEMM_VPDPBUSD_YMM(r) "%{vex%} vpdpbusd %%ymm0, %%ymm1, %%ymm" r "\n"
#define QGEMM_FMA_ZMM(r) "vfmadd231ps %%zmm0, %%zmm1, %%zmm" r "\n"
#define QGEMM_FMA_YMM(r) "vfmadd231ps %%ymm0, %%ymm1, %%ymm" r "\n"
// What stands for vpdpbusd without VNNI.
#define QGEMM_MADDUBS_YMM(r) \
  "vpmaddubsw %%ymm1, %%ymm1, %%ymm0\nvpmaddwd %%ymm1, %%ymm0, %%ymm0\nvpaddd %%ymm0, %%ymm" r ", %%ymm" r "\n"
// vpmaddwd needs an addition: ymm0 takes the products.
#define QGEMM_MADD_YMM(r) "vpmaddwd %%ymm1, %%ymm1, %%ymm0\nvpaddd %%ymm0, %%ymm" r ", %%ymm" r "\n"
// The same without VEX, what compilers have for the baseline: the first operand is overwritten, so it is copied.
#define QGEMM_MADD_XMM(r) "movdqa %%xmm1, %%xmm0\npmaddwd %%xmm1, %%xmm0\npaddd %%xmm0, %%xmm" r "\n"
#define QGEMM_ZERO(r) "pxor %%xmm" r ", %%xmm" r "\n"

QGEMM_LOOP(vpdpbusd_zmm, "vzeroall\n", QGEMM_VPDPBUSD_ZMM, "vzeroupper\n")
QGEMM_LOOP(vpdpbusd_ymm, "vzeroall\n", QGEMM_VPDPBUSD_YMM, "vzeroupper\n")
QGEMM_LOOP(fma_zmm, "vzeroall\n", QGEMM_FMA_ZMM, "vzeroupper\n")
QGEMM_LOOP(fma_ymm, "vzeroall\n", QGEMM_FMA_YMM, "vzeroupper\n")
QGEMM_LOOP(maddubs_ymm, "vzeroall\n", QGEMM_MADDUBS_YMM, "vzeroupper\n")
QGEMM_LOOP(madd_ymm, "vzeroall\n", QGEMM_MADD_YMM, "vzeroupper\n")
QGEMM_LOOP(madd_xmm, QGEMM_ZERO("0") QGEMM_ZERO("1") QGEMM_FOURTEEN(QGEMM_ZERO), QGEMM_MADD_XMM, "")

// What ldtilecfg reads (Intel SDM volume 2A, LDTILECFG).
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16};
};

// Four tiles of sums, as the kernel has. The compiler knows nothing of tiles and keeps nothing in them.
void tdpbusd(uint64_t steps) {
  static const TileConfig config;
  __asm__ volatile(
      "ldtilecfg %1\ntilezero %%tmm0\ntilezero %%tmm1\ntilezero %%tmm2\ntilezero %%tmm3\ntilezero %%tmm4\n"
      "tilezero %%tmm5\n1:\ntdpbusd %%tmm5, %%tmm4, %%tmm0\ntdpbusd %%tmm5, %%tmm4, %%tmm1\n"
      "tdpbusd %%tmm5, %%tmm4, %%tmm2\ntdpbusd %%tmm5, %%tmm4, %%tmm3\ndec %0\njnz 1b\ntilerelease\n"
      : "+r"(steps)
      : "m"(config)
      : "cc");
}

constexpr Loop kLoops[] = {
    {"vpdpbusd zmm", vpdpbusd_zmm, 14 * 64},  {"vpdpbusd ymm", vpdpbusd_ymm, 14 * 32},
    {"vpmaddubsw ymm", maddubs_ymm, 14 * 32}, {"vpmaddwd ymm", madd_ymm, 14 * 16},
    {"pmaddwd xmm", madd_xmm, 14 * 8},        {"tdpbusd", tdpbusd, 4 * 16 * 16 * 64},
    {"vfmadd231ps zmm", fma_zmm, 14 * 16},    {"vfmadd231ps ymm", fma_ymm, 14 * 8},
};

constexpr Use kUses[] = {
    {"avx512vnni", "vpdpbusd zmm", "vfmadd231ps zmm"}, {"avx512", "vpmaddwd ymm", "vfmadd231ps zmm"},
    {"avxvnni", "vpdpbusd ymm", "vfmadd231ps ymm"},    {"avx2", "vpmaddubsw ymm", "vfmadd231ps ymm"},
    {"amxint8", "tdpbusd", "vfmadd231ps zmm"},         {"scalar", "pmaddwd xmm", ""},
};

#elif defined(__aarch64__) && defined(__GNUC__)

// Twenty-four accumulators: four pipes with latencies of up to four cycles need more than fourteen.
#define QGEMM_TWENTY_FOUR(line)                                                                                      \
  line("4") line("5") line("6") line("7") line("8") line("9") line("10") line("11") line("12") line("13") line("14") \
      line("15") line("16") line("17") line("18") line("19") line("20") line("21") line("22") line("23") line("24")  \
          line("25") line("26") line("27")
#define QGEMM_CLOBBERS                                                                                                \
  "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", \
      "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "cc"
#define QGEMM_ZERO(r) "movi v" r ".4s, #0\n"
// The assembler of gcc wants a directive, clang an attribute.
#if defined(__clang__)
#define QGEMM_ATTRIBUTE(feature) __attribute__((target(feature)))
#define QGEMM_DIRECTIVE(feature) ""
#else
#define QGEMM_ATTRIBUTE(feature)
#define QGEMM_DIRECTIVE(feature) ".arch armv8.2-a+" feature "\n"
#endif
#define QGEMM_LOOP(name, directive, line)                                                                          \
  void name(uint64_t steps) {                                                                                      \
    __asm__ volatile(directive QGEMM_ZERO("0") QGEMM_ZERO("1")                                                     \
                         QGEMM_TWENTY_FOUR(QGEMM_ZERO) "1:\n" QGEMM_TWENTY_FOUR(line) "subs %0, %0, #1\nb.ne 1b\n" \
                     : "+r"(steps)                                                                                 \
                     :                                                                                             \
                     : QGEMM_CLOBBERS);                                                                            \
  }

#define QGEMM_SDOT(r) "sdot v" r ".4s, v0.16b, v1.4b[0]\n"
#define QGEMM_USMMLA(r) "usmmla v" r ".4s, v0.16b, v1.16b\n"
#define QGEMM_SMULL(r) "smull v2.8h, v0.8b, v1.8b\nsadalp v" r ".4s, v2.8h\n"
#define QGEMM_FMLA(r) "fmla v" r ".4s, v0.4s, v1.s[0]\n"

QGEMM_ATTRIBUTE("dotprod") QGEMM_LOOP(sdot, QGEMM_DIRECTIVE("dotprod"), QGEMM_SDOT);
QGEMM_ATTRIBUTE("i8mm") QGEMM_LOOP(usmmla, QGEMM_DIRECTIVE("i8mm"), QGEMM_USMMLA);
QGEMM_LOOP(smull_sadalp, "", QGEMM_SMULL)
QGEMM_LOOP(fmla, "", QGEMM_FMLA)

constexpr Loop kLoops[] = {
    {"sdot", sdot, 24 * 16},
    {"usmmla", usmmla, 24 * 32},
    {"smull, sadalp", smull_sadalp, 24 * 8},
    {"fmla", fmla, 24 * 4},
};

constexpr Use kUses[] = {
    {"neoni8mm", "usmmla", "fmla"},
    {"neondot", "sdot", "fmla"},
    {"neon", "smull, sadalp", "fmla"},
};

#else

constexpr Loop kLoops[] = {{"", nullptr, 0}};
constexpr Use kUses[] = {{"", "", ""}};

#endif

const Loop* find_loop(const char* instruction) {
  for (const Loop& loop : kLoops) {
    if (loop.run != nullptr && std::strcmp(loop.name, instruction) == 0) return &loop;
  }
  return nullptr;
}

}  // namespace

const char* peak_instruction(Precision precision, const char* isa) {
  for (const Use& use : kUses) {
    if (std::strcmp(use.isa, isa) == 0) return precision == Precision::int8 ? use.int8 : use.float32;
  }
  return "";
}

double peak_gops(const char* instruction, double milliseconds) {
  using Clock = std::chrono::steady_clock;
  const Loop* loop = find_loop(instruction);
  if (loop == nullptr) return 0;
  constexpr uint64_t kSteps = 20000;
  double steps = 0, seconds = 0;
  const auto start = Clock::now();
  do {
    loop->run(kSteps);
    steps += kSteps;
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  } while (seconds * 1e3 < milliseconds);
  return 2 * loop->multiply_adds * steps / seconds * 1e-9;
}

void register_loop(const char* instruction, uint64_t steps) {
  const Loop* loop = find_loop(instruction);
  if (loop != nullptr && steps > 0) loop->run(steps);
}

}  // namespace bench
}  // namespace qgemm
