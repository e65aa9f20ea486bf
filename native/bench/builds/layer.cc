// One build of the library, for compare_builds.
#include "bench/builds/layer.h"

#include <cstdio>
#include <string>

#include "core/cpu.h"
#include "core/dispatch.h"
#include "core/gemm.h"
#include "core/pack.h"
#include "core/thread_pool.h"

namespace qgemm {
namespace {

bool configure(const char* max_isa, size_t threads, char* error, size_t error_size) {
  DispatchConfig config;
  std::string sentence;
  bool isa_missing = false;
  if (!read_dispatch_config(cpu_features(), max_isa, nullptr, &config, &sentence, &isa_missing)) {
    std::snprintf(error, error_size, "%s", sentence.c_str());
    return false;
  }
  set_dispatch_config(config);
  ThreadPool::instance().set_num_threads(threads);
  return true;
}

void* make(const float* weights, size_t n, size_t k, bool float32) {
  QuantizeWeightsOptions options;
  options.scheme = float32 ? Scheme::float32 : Scheme::int8;
  WeightsPtr packed;
  if (quantize_weights(weights, {k, 1}, n, k, options, false, &packed) != Status::ok) return nullptr;
  return new WeightsPtr(packed);
}

void release(void* layer) { delete static_cast<WeightsPtr*>(layer); }

bool forward(void* layer, const float* x, size_t m, const float* bias, unsigned activation, float* y) {
  LinearEpilogue epilogue;
  epilogue.bias = bias;
  epilogue.activation = static_cast<Activation>(activation);
  return linear_forward(**static_cast<WeightsPtr*>(layer), x, m, false, epilogue, y) == Status::ok;
}

constexpr QgemmBenchLayers kLayers = {configure, make, release, forward};

}  // namespace
}  // namespace qgemm

extern "C" const QgemmBenchLayers* qgemm_bench_layers() { return &qgemm::kLayers; }
