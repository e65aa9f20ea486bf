// One check per operation: a kernel against the oracle over tile edges, corners and guard pages (kernel_test.cc).
#pragma once
#include <cmath>
#include <cstring>

#include "core/aligned_buffer.h"
#include "core/dispatch.h"
#include "test/harness.h"

namespace qgemm {
namespace test {

void check_gemm_u8s8(const Kernel<GemmU8S8Fn>& kernel);
void check_gemm_f32(const Kernel<GemmF32Fn>& kernel);
void check_quantize_row(const Kernel<QuantizeRowFn>& kernel);
void check_minmax(const Kernel<MinMaxFn>& kernel);
void check_quantize(const Kernel<QuantizeFn>& kernel);
void check_dequantize(const Kernel<DequantizeFn>& kernel);
void check_pack_rows(const Kernel<PackRowsFn>& kernel);
void check_quantize_columns(const Kernel<QuantizeColumnsFn>& kernel);

/// The driver with this kernel forced, m 1..mr+1, n 1..2nr+1, k 1..4kr+1 and ragged larger shapes.
void check_driver_u8s8(const Kernel<GemmU8S8Fn>& kernel);
void check_driver_f32(const Kernel<GemmF32Fn>& kernel);

/// Same bits, or both NaN (NaN payloads are not promised).
inline bool same(float a, float b) { return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b)); }

/// Random parameters of int8 or uint8 results, some of whose values saturate.
OutputCodes draw_output_codes(Random* random, float largest);

/// Values that column arrays hold for a tile of n columns: whole panels, or half a panel for tiles as narrow as that.
inline size_t column_values(size_t n, size_t nr) {
  return round_up(n, nr < kPanelColumns ? nr : size_t{kPanelColumns});
}

constexpr Activation kActivations[] = {Activation::none, Activation::relu, Activation::gelu, Activation::gelu_tanh,
                                       Activation::silu};

}  // namespace test
}  // namespace qgemm
