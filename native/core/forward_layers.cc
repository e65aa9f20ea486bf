#include <cstring>

#include "core/fp_env.h"
#include "core/gemm.h"
#include "core/private_rows.h"

namespace qgemm {
namespace {

// Scratch above this is given back after the call: a thread should not keep the memory of its largest batch for ever.
constexpr size_t kKeptScratch = size_t{8} << 20;

bool overlaps(const LinearOutput& output, size_t m, const float* values, size_t columns) {
  const char* v = reinterpret_cast<const char*>(values);
  const char* y = static_cast<const char*>(output.y);
  const size_t y_bytes = m * output.weights->n * (output.epilogue.output ? 1 : sizeof(float));
  return v < y + y_bytes && y < v + m * columns * sizeof(float);
}

// Adding in place is one read before one write; any other overlap would let a tile write what another has yet to read.
Status settle_residual(LinearOutput* output, size_t m, AlignedBuffer* copy) {
  const float* residual = output->epilogue.residual;
  if (residual == nullptr || !overlaps(*output, m, residual, output->weights->n)) return Status::ok;
  if (residual == output->y && output->epilogue.output == nullptr) return Status::ok;
  const size_t bytes = m * output->weights->n * sizeof(float);
  if (!copy->allocate(bytes)) return Status::out_of_memory;
  std::memcpy(copy->as<float>(), residual, bytes);
  output->epilogue.residual = copy->as<float>();
  return Status::ok;
}

// Whether rows can be prepared while others are multiplied: nothing may be written before all of x is known to be good,
// and writing must not change it.
bool can_prepare_late(const Input& input, size_t m, size_t k, bool reject_non_finite, const LinearOutput& output) {
  return input.quantized.codes == nullptr && !reject_non_finite && !overlaps(output, m, input.x, k);
}

}  // namespace

OutputCodes make_output_codes(float scale, int32_t zero_point, int32_t qmin, int32_t qmax) {
  const ScopedFpEnv fp_env;
  return {1.0f / scale, static_cast<float>(qmin - zero_point), static_cast<float>(qmax - zero_point), zero_point};
}

Status forward_layers(const InputScheme& scheme, const Input& input, size_t m, bool reject_non_finite,
                      const LinearOutput* outputs, size_t count) {
  thread_local PrivateRows scratch;
  const bool late = count == 1 && can_prepare_late(input, m, scheme.k, reject_non_finite, outputs[0]);
  PreparedRows* rows = scratch.shared();
  Status status = late ? Status::ok : prepare_rows(scheme, input, m, reject_non_finite, true, rows);
  for (size_t i = 0; i < count && status == Status::ok; ++i) {
    LinearOutput output = outputs[i];
    AlignedBuffer residual;
    status = settle_residual(&output, m, &residual);
    if (status != Status::ok) break;
    status = late ? gemm_from_input(scheme, input, m, output, &scratch)
                  : gemm(*output.weights, *rows, output.epilogue, output.y, nullptr);
  }
  scratch.keep_at_most(kKeptScratch);
  return status;
}

Status linear_forward(const PackedWeights& weights, const float* x, size_t m, bool reject_non_finite,
                      const LinearEpilogue& epilogue, float* y) {
  const LinearOutput output = {&weights, epilogue, y};
  Input input;
  input.x = x;
  return forward_layers(dynamic_input(weights), input, m, reject_non_finite, &output, 1);
}

}  // namespace qgemm
