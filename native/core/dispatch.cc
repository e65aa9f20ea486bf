#include "core/dispatch.h"

#include <algorithm>
#include <cstring>

#include "core/aligned_buffer.h"
#include "core/cpu.h"

namespace qgemm {

#define QGEMM_GEMM_KERNEL(op, mr, nr, kr, isa) void op##_##mr##x##nr##c##kr##_##isa(const args_##op*);
#define QGEMM_ROW_KERNEL(op, isa) void op##_##isa(args_##op*);
using args_gemm_u8s8f32 = GemmU8S8Args;
using args_gemm_f32 = GemmF32Args;
using args_quantize_row_f32u8 = QuantizeRowArgs;
using args_minmax_f32 = MinMaxArgs;
using args_quantize_f32i8 = const QuantizeArgs;
using args_dequantize_i8f32 = const DequantizeArgs;
using args_pack_rows_u8s8 = const PackRowsArgs;
using args_quantize_columns_f32s8 = const QuantizeColumnsArgs;
#include "kernels/kernels.inc"
#undef QGEMM_GEMM_KERNEL
#undef QGEMM_ROW_KERNEL

namespace {

[[maybe_unused]] constexpr uint32_t features_scalar = kScalar;
[[maybe_unused]] constexpr uint32_t features_avx2 = kAvx2;
[[maybe_unused]] constexpr uint32_t features_avxvnni = kAvx2 | kAvxVnni;
[[maybe_unused]] constexpr uint32_t features_avx512 = kAvx2 | kAvx512;
[[maybe_unused]] constexpr uint32_t features_avx512vnni = kAvx2 | kAvx512 | kAvx512Vnni;
[[maybe_unused]] constexpr uint32_t features_amxint8 = kAvx2 | kAvx512 | kAmxInt8;
[[maybe_unused]] constexpr uint32_t features_neon = kNeon;
[[maybe_unused]] constexpr uint32_t features_neondot = kNeon | kNeonDot;
[[maybe_unused]] constexpr uint32_t features_neoni8mm = kNeon | kNeonI8mm;

// One line of kernels.inc, whatever its operation; the tables below pick theirs.
enum class Op {
  gemm_u8s8f32,
  gemm_f32,
  quantize_row_f32u8,
  minmax_f32,
  quantize_f32i8,
  dequantize_i8f32,
  pack_rows_u8s8,
  quantize_columns_f32s8
};

constexpr size_t kMaxKernels = 32;

template <typename Fn>
struct Table {
  Kernel<Fn> lines[kMaxKernels];
  size_t count;
};

template <Op kWanted, typename Fn>
Table<Fn> make_table() {
  Table<Fn> table = {};
#define QGEMM_GEMM_KERNEL(op, mr, nr, kr, isa)                                                            \
  if constexpr (Op::op == kWanted) {                                                                      \
    table.lines[table.count++] = {#op "_" #mr "x" #nr "c" #kr "_" #isa, #isa, features_##isa, mr, nr, kr, \
                                  op##_##mr##x##nr##c##kr##_##isa};                                       \
  }
#define QGEMM_ROW_KERNEL(op, isa)                                                           \
  if constexpr (Op::op == kWanted) {                                                        \
    table.lines[table.count++] = {#op "_" #isa, #isa, features_##isa, 1, 1, 1, op##_##isa}; \
  }
#include "kernels/kernels.inc"
#undef QGEMM_GEMM_KERNEL
#undef QGEMM_ROW_KERNEL
  return table;
}

template <Op kWanted, typename Fn>
KernelList<Fn> list() {
  static const Table<Fn> table = make_table<kWanted, Fn>();
  return {table.lines, table.lines + table.count};
}

// The ISA tags of design section 6. A ceiling keeps the features at or below it on its own architecture.
struct Tag {
  const char* name;
  uint32_t allowed;
};
constexpr uint32_t kAllX86 = kAvx2 | kAvxVnni | kAvx512 | kAvx512Vnni | kAmxInt8;
constexpr uint32_t kAllArm = kNeon | kNeonDot | kNeonI8mm;
constexpr Tag kTags[] = {
    {"scalar", 0},
    {"avx2", kAvx2 | kAllArm},
    {"avxvnni", kAvx2 | kAvxVnni | kAllArm},
    {"avx512", kAvx2 | kAvxVnni | kAvx512 | kAllArm},
    {"avx512vnni", kAvx2 | kAvxVnni | kAvx512 | kAvx512Vnni | kAllArm},
    {"amxint8", kAllX86 | kAllArm},
    {"neon", kNeon | kAllX86},
    {"neondot", kNeon | kNeonDot | kAllX86},
    {"neoni8mm", kAllArm | kAllX86},
};

// Below, the vector units are as fast: reading the weights takes all of the time.
constexpr size_t kFewestRowsOfAmx = 3;

// Whether the line of AVX512-VNNI that needs the fewest loads for a multiplication is the best one: 24x64, which is
// 6x64 in registers. Weights that are asked for come more evenly beside 14x32 and 8x32, as long as these read them no
// more than twice; far ones beside 8x32, which asks for them as Zen 4 likes it.
bool many_rows_pay(size_t m, Weights weights) {
  switch (weights) {
    case Weights::asked_for:
      return m > 16;
    case Weights::far:
      return false;
    default:
      return m > 8 || m == 6 || m == 5;
  }
}

// Far weights come fastest as one stream (Zen 4; on CPUs that bear asking they are asked for, and Zen 5 takes all few
// rows' weights as one stream). Of AVX512-VNNI there are lines for any number of rows that read one panel at a time.
template <typename Fn>
bool reads_panels_at_once(const Kernel<Fn>& kernel) {
  return (kernel.features & kAvx512Vnni) != 0 && kernel.nr > kPanelColumns;
}

// The demanded kernel if it is of this operation; else, of the best ISA, the line with the fewest rows that still takes
// all m, or its largest; of equal ones the widest, or the narrowest for far weights. A line with more rows than the one
// before it counts only where weights are asked for, and no other line takes all m. The matrix unit leaves the fewest
// rows to the next ISA.
template <typename Fn>
const Kernel<Fn>& choose(KernelList<Fn> kernels, const DispatchConfig& config, size_t m,
                         Weights weights = Weights::near) {
  const Kernel<Fn>* best = nullptr;
  size_t smallest = 0;  // rows of the lines of best's ISA so far
  if (!config.kernel.empty()) {
    for (const Kernel<Fn>& kernel : kernels) {
      if (config.kernel == kernel.name) return kernel;
    }
  }
  for (const Kernel<Fn>& kernel : kernels) {
    if (best != nullptr && best->features != kernel.features) break;  // the lines of an ISA lie together
    if ((kernel.features & ~config.features) != 0) continue;
    if ((kernel.features & kAmxInt8) != 0 && m < kFewestRowsOfAmx) continue;
    if (takes_many_rows(kernel)) {
      if (many_rows_pay(m, weights)) return kernel;
      continue;
    }
    if (weights == Weights::far && reads_panels_at_once(kernel)) continue;
    if (best == nullptr) {
      best = &kernel;
      smallest = kernel.mr;
    } else {
      const bool reads_once = kernel.mr > smallest && weights == Weights::asked_for && best->mr < m;
      const bool fits = kernel.mr <= smallest && (kernel.mr < best->mr || weights == Weights::far);
      if (kernel.mr >= m && (reads_once || fits)) best = &kernel;
      smallest = std::min(smallest, kernel.mr);
    }
  }
  return *best;  // scalar lines need no feature
}

template <typename Fn>
bool find_kernel(KernelList<Fn> kernels, const char* name, uint32_t* features, std::string* names) {
  for (const Kernel<Fn>& kernel : kernels) {
    if (strcmp(kernel.name, name) == 0) {
      *features = kernel.features;
      return true;
    }
    *names += names->empty() ? "" : ", ";
    *names += kernel.name;
  }
  return false;
}

DispatchConfig& mutable_config() {
  static DispatchConfig config = {cpu_features(), ""};
  return config;
}

}  // namespace

KernelList<GemmU8S8Fn> gemm_u8s8f32_kernels() { return list<Op::gemm_u8s8f32, GemmU8S8Fn>(); }
KernelList<GemmF32Fn> gemm_f32_kernels() { return list<Op::gemm_f32, GemmF32Fn>(); }
KernelList<QuantizeRowFn> quantize_row_kernels() { return list<Op::quantize_row_f32u8, QuantizeRowFn>(); }
KernelList<MinMaxFn> minmax_kernels() { return list<Op::minmax_f32, MinMaxFn>(); }
KernelList<QuantizeFn> quantize_kernels() { return list<Op::quantize_f32i8, QuantizeFn>(); }
KernelList<DequantizeFn> dequantize_kernels() { return list<Op::dequantize_i8f32, DequantizeFn>(); }
KernelList<PackRowsFn> pack_rows_kernels() { return list<Op::pack_rows_u8s8, PackRowsFn>(); }
KernelList<QuantizeColumnsFn> quantize_columns_kernels() {
  return list<Op::quantize_columns_f32s8, QuantizeColumnsFn>();
}

bool read_dispatch_config(uint32_t detected, const char* max_isa, const char* kernel, DispatchConfig* config,
                          std::string* error, bool* isa_missing) {
  *isa_missing = false;
  config->features = detected;
  config->kernel.clear();
  if (max_isa != nullptr && *max_isa != '\0') {
    const Tag* found = nullptr;
    std::string names;
    for (const Tag& tag : kTags) {
      if (strcmp(tag.name, max_isa) == 0) found = &tag;
      names += names.empty() ? "" : ", ";
      names += tag.name;
    }
    if (found == nullptr) {
      *error = "QGEMM_MAX_ISA must be one of " + names + ", got \"" + max_isa + "\"";
      return false;
    }
    config->features &= found->allowed;
  }
  if (kernel != nullptr && *kernel != '\0') {
    uint32_t needed = 0;
    std::string names;
    if (!find_kernel(gemm_u8s8f32_kernels(), kernel, &needed, &names) &&
        !find_kernel(gemm_f32_kernels(), kernel, &needed, &names) &&
        !find_kernel(quantize_row_kernels(), kernel, &needed, &names) &&
        !find_kernel(minmax_kernels(), kernel, &needed, &names) &&
        !find_kernel(quantize_kernels(), kernel, &needed, &names) &&
        !find_kernel(dequantize_kernels(), kernel, &needed, &names) &&
        !find_kernel(pack_rows_kernels(), kernel, &needed, &names) &&
        !find_kernel(quantize_columns_kernels(), kernel, &needed, &names)) {
      *error = "QGEMM_KERNEL must be one of " + names + ", got \"" + kernel + "\"";
      return false;
    }
    if ((needed & ~detected) != 0) {
      *error = std::string("QGEMM_KERNEL must be a kernel that this CPU can run, got \"") + kernel + "\"";
      *isa_missing = true;
      return false;
    }
    config->kernel = kernel;
  }
  return true;
}

const DispatchConfig& dispatch_config() { return mutable_config(); }
void set_dispatch_config(const DispatchConfig& config) { mutable_config() = config; }

// A model has more weights than those of one layer: when they come round again, a layer of a quarter of the last cache
// is mostly gone from it.
Weights distance_of_weights(size_t bytes) {
  const size_t last_cache = cpu_caches().l3;
  return last_cache != 0 && bytes > last_cache / 4 ? Weights::far : Weights::near;
}

const Kernel<GemmU8S8Fn>& choose_gemm_u8s8f32(const DispatchConfig& config, size_t m, Weights weights) {
  return choose(gemm_u8s8f32_kernels(), config, m, weights);
}
const Kernel<GemmF32Fn>& choose_gemm_f32(const DispatchConfig& config, size_t m, Weights weights) {
  return choose(gemm_f32_kernels(), config, m, weights);
}
const Kernel<QuantizeRowFn>& choose_quantize_row(const DispatchConfig& config) {
  return choose(quantize_row_kernels(), config, 1);
}
const Kernel<MinMaxFn>& choose_minmax(const DispatchConfig& config) { return choose(minmax_kernels(), config, 1); }
const Kernel<QuantizeFn>& choose_quantize(const DispatchConfig& config) {
  return choose(quantize_kernels(), config, 1);
}
const Kernel<DequantizeFn>& choose_dequantize(const DispatchConfig& config) {
  return choose(dequantize_kernels(), config, 1);
}
const Kernel<PackRowsFn>& choose_pack_rows(const DispatchConfig& config) {
  return choose(pack_rows_kernels(), config, 1);
}
const Kernel<QuantizeColumnsFn>& choose_quantize_columns(const DispatchConfig& config) {
  return choose(quantize_columns_kernels(), config, 1);
}

void* scratch_for(const Kernel<GemmU8S8Fn>& kernel) {
  if (blocks_of(kernel) != Blocks::packed_rows) return nullptr;
  thread_local AlignedBuffer scratch;
  return scratch.ensure(kGemmScratchBytes) ? scratch.as<void>() : nullptr;
}

const char* best_isa(const DispatchConfig& config) {
  constexpr size_t kManyRows = 64;  // enough for every ISA
  return choose_gemm_u8s8f32(config, kManyRows).isa;
}

}  // namespace qgemm
