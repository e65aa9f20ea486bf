#include <cstring>

#include "core/fp_env.h"
#include "core/gemm.h"

namespace qgemm {
namespace {

// Scratch above this is given back after the call: a thread should not keep the memory of its largest batch for ever.
constexpr size_t kKeptScratch = size_t{8} << 20;

bool overlaps(const LinearOutput& output, size_t m) {
  const size_t values = m * output.weights->n;
  const char* r = reinterpret_cast<const char*>(output.epilogue.residual);
  const char* y = static_cast<const char*>(output.y);
  const size_t y_bytes = values * (output.epilogue.output ? 1 : sizeof(float));
  return r < y + y_bytes && y < r + values * sizeof(float);
}

// Adding in place is one read before one write; any other overlap would let a tile write what another has yet to read.
Status settle_residual(LinearOutput* output, size_t m, AlignedBuffer* copy) {
  const float* residual = output->epilogue.residual;
  if (residual == nullptr || !overlaps(*output, m)) return Status::ok;
  if (residual == output->y && output->epilogue.output == nullptr) return Status::ok;
  const size_t bytes = m * output->weights->n * sizeof(float);
  if (!copy->allocate(bytes)) return Status::out_of_memory;
  std::memcpy(copy->as<float>(), residual, bytes);
  output->epilogue.residual = copy->as<float>();
  return Status::ok;
}

Status run_layer(LinearOutput output, const PreparedRows& rows) {
  AlignedBuffer residual;
  const Status status = settle_residual(&output, rows.m, &residual);
  return status == Status::ok ? gemm(*output.weights, rows, output.epilogue, output.y, nullptr) : status;
}

}  // namespace

OutputCodes make_output_codes(float scale, int32_t zero_point, int32_t qmin, int32_t qmax) {
  const ScopedFpEnv fp_env;
  return {1.0f / scale, static_cast<float>(qmin - zero_point), static_cast<float>(qmax - zero_point), zero_point};
}

Status forward_layers(const InputScheme& scheme, const Input& input, size_t m, bool reject_non_finite,
                      const LinearOutput* outputs, size_t count) {
  thread_local PreparedRows scratch;
  Status status = prepare_rows(scheme, input, m, reject_non_finite, true, &scratch);
  for (size_t i = 0; i < count && status == Status::ok; ++i) status = run_layer(outputs[i], scratch);
  if (scratch.memory.size() > kKeptScratch) scratch.memory.reset();
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
