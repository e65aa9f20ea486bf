#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/kernel.h"

namespace qgemm {

template <typename Fn>
struct KernelList {
  const Kernel<Fn>* begin_;
  const Kernel<Fn>* end_;
  const Kernel<Fn>* begin() const { return begin_; }
  const Kernel<Fn>* end() const { return end_; }
};

/// All kernels of an operation in this binary, best first, whether or not the CPU can run them.
KernelList<GemmU8S8Fn> gemm_u8s8f32_kernels();
KernelList<GemmF32Fn> gemm_f32_kernels();
KernelList<QuantizeRowFn> quantize_row_kernels();
KernelList<MinMaxFn> minmax_kernels();
KernelList<QuantizeFn> quantize_kernels();
KernelList<DequantizeFn> dequantize_kernels();
KernelList<PackRowsFn> pack_rows_kernels();
KernelList<QuantizeColumnsFn> quantize_columns_kernels();

/// Kernels of the matrix unit work on a whole block at once, any number of rows and columns.
template <typename Fn>
bool takes_blocks(const Kernel<Fn>& kernel) {
  return (kernel.features & kAmxInt8) != 0;
}

/// The line of AVX512-VNNI that takes more rows at once than a register tile holds.
template <typename Fn>
bool takes_many_rows(const Kernel<Fn>& kernel) {
  return kernel.mr == 24 && (kernel.features & (kAvx512Vnni | kAmxInt8)) == kAvx512Vnni;
}

/// Blocks of rows that threads share are multiples of this: of mr, or of eight where any few rows will do.
template <typename Fn>
size_t row_unit(const Kernel<Fn>& kernel) {
  return takes_many_rows(kernel) ? 8 : kernel.mr;
}

/// What the environment asks for. `max_isa` limits `features`; `kernel` is a demand for its operation.
struct DispatchConfig {
  uint32_t features = 0;  // usable: detected, below the ceiling
  std::string kernel;     // QGEMM_KERNEL, or ""
};

/// Reads detected features, QGEMM_MAX_ISA and QGEMM_KERNEL. On a bad value returns false and a sentence in `error`
/// (which names variable, expectation and value), with `isa_missing` set where the CPU lacks a demanded kernel.
bool read_dispatch_config(uint32_t detected, const char* max_isa, const char* kernel, DispatchConfig* config,
                          std::string* error, bool* isa_missing);

/// The process-wide configuration. Until `set_dispatch_config`, everything the CPU has.
const DispatchConfig& dispatch_config();
void set_dispatch_config(const DispatchConfig& config);

/// Where weights are read from: caches, or main memory because there are too many of them. Several streams at once are
/// faster from the former, one from the latter (docs/kernel-benchmarks.md). Those that are asked for ahead come as fast
/// from both, and no more than that: reading them once pays for a tile that suits the registers less.
enum class Weights { near, far, asked_for };
Weights distance_of_weights(size_t bytes);

/// The kernel for a call with m rows: pure functions of the configuration, so that tests can ask for any CPU. `weights`
/// decides between kernels of equally many rows.
const Kernel<GemmU8S8Fn>& choose_gemm_u8s8f32(const DispatchConfig& config, size_t m, Weights weights = Weights::near);
const Kernel<GemmF32Fn>& choose_gemm_f32(const DispatchConfig& config, size_t m, Weights weights = Weights::near);
const Kernel<QuantizeRowFn>& choose_quantize_row(const DispatchConfig& config);
const Kernel<MinMaxFn>& choose_minmax(const DispatchConfig& config);
const Kernel<QuantizeFn>& choose_quantize(const DispatchConfig& config);
const Kernel<DequantizeFn>& choose_dequantize(const DispatchConfig& config);
const Kernel<PackRowsFn>& choose_pack_rows(const DispatchConfig& config);
const Kernel<QuantizeColumnsFn>& choose_quantize_columns(const DispatchConfig& config);

/// The tag of the best ISA among `features` that an int8 kernel uses: what cpuInfo().isa reports.
const char* best_isa(const DispatchConfig& config);

}  // namespace qgemm
