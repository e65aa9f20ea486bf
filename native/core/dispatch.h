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

/// Which kernels cut blocks into register tiles themselves: those of the matrix unit, blocks of any size, and the one
/// of AVX2 for many rows, blocks of up to mr rows, which it arranges in GemmU8S8Args::scratch.
enum class Blocks { none, packed_rows, matrix_unit };

template <typename Fn>
Blocks blocks_of(const Kernel<Fn>& kernel) {
  constexpr size_t kManyRows = 512;
  if ((kernel.features & kAmxInt8) != 0) return Blocks::matrix_unit;
  return kernel.features == kAvx2 && kernel.mr == kManyRows ? Blocks::packed_rows : Blocks::none;
}

template <typename Fn>
bool takes_blocks(const Kernel<Fn>& kernel) {
  return blocks_of(kernel) != Blocks::none;
}

/// The line of AVX512-VNNI that takes more rows at once than a register tile holds.
template <typename Fn>
bool takes_many_rows(const Kernel<Fn>& kernel) {
  return kernel.mr == 24 && (kernel.features & (kAvx512Vnni | kAmxInt8)) == kAvx512Vnni;
}

/// Lines of AVX512-VNNI that take any number of columns at once.
template <typename Fn>
bool takes_many_columns(const Kernel<Fn>& kernel) {
  return (kernel.features & (kAvx512Vnni | kAmxInt8)) == kAvx512Vnni && !takes_many_rows(kernel);
}

/// GemmU8S8Args::k for weights of depth k: tiles of the matrix unit are 64 deep, and so is a turn of AVX-VNNI's loop;
/// the other kernels take 32 at a time.
template <typename Fn>
size_t kernel_depth(const Kernel<Fn>& kernel, size_t k) {
  const size_t unit = (kernel.features & (kAmxInt8 | kAvxVnni)) != 0 ? kPaddedK : kPaddedK / 2;
  return (k + unit - 1) / unit * unit;
}

/// How threads share rows: in multiples of `unit`, and no fewer than `least` each, or `least_by_near_weights` where the
/// weights are a small part of a cache of their own. A kernel that arranges rows anew for each call wants them to meet
/// `columns` of weights.
struct RowShares {
  size_t unit, least, least_by_near_weights, columns;
};

/// For a call with m rows of depth k. Kernels that take few rows at a time, or any number, want no multiples of mr.
template <typename Fn>
RowShares row_shares(const Kernel<Fn>& kernel, size_t m, size_t k) {
  if (blocks_of(kernel) == Blocks::packed_rows) {
    return m <= rows_for_window(k) ? RowShares{2, 16, 16, 1024} : RowShares{32, 128, 128, 384};
  }
  if (takes_many_rows(kernel)) return {2, kernel.mr, 8, 0};
  return {kernel.mr, kernel.mr, kernel.mr, 0};
}

/// GemmU8S8Args::scratch for a kernel that wants it: memory of this thread, which the next call gets again. Null for
/// the others, and when memory is short.
void* scratch_for(const Kernel<GemmU8S8Fn>& kernel);

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

/// Near or far, for weights between whose readings `bytes` of any weights are read (core/reuse_distance.h).
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
