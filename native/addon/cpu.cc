#include "addon/cpu.h"

#include <napi.h>

#include "addon/args.h"
#include "addon/env_state.h"
#include "core/cpu.h"
#include "core/dispatch.h"
#include "core/thread_count.h"
#include "core/thread_pool.h"

namespace qgemm::addon {

namespace {

template <typename Fn>
void add_usable(const KernelList<Fn>& kernels, uint32_t features, Napi::Array* names) {
  for (const Kernel<Fn>& kernel : kernels) {
    if ((kernel.features & ~features) == 0) {
      names->Set(names->Length(), Napi::String::New(names->Env(), kernel.name));
    }
  }
}

napi_value cpu_info(napi_env raw_env, napi_callback_info) {
  Napi::Env env(raw_env);
  const DispatchConfig& config = dispatch_config();
  Napi::Array features = Napi::Array::New(env);
  for (uint32_t bit = 1; bit != 0; bit <<= 1) {
    if ((config.features & bit) != 0) features.Set(features.Length(), Napi::String::New(env, isa_tag(bit)));
  }
  Napi::Array kernels = Napi::Array::New(env);
  add_usable(gemm_u8s8f32_kernels(), config.features, &kernels);
  add_usable(gemm_f32_kernels(), config.features, &kernels);
  add_usable(quantize_row_kernels(), config.features, &kernels);
  Napi::Object caches = Napi::Object::New(env);
  caches.Set("l1d", Napi::Number::New(env, cpu_caches().l1d));
  caches.Set("l2", Napi::Number::New(env, cpu_caches().l2));
  caches.Set("l3", Napi::Number::New(env, cpu_caches().l3));
  Napi::Object result = Napi::Object::New(env);
  result.Set("isa", Napi::String::New(env, best_isa(config)));
  result.Set("features", features);
  result.Set("kernels", kernels);
  result.Set("numThreads", Napi::Number::New(env, static_cast<double>(ThreadPool::instance().num_threads())));
  result.Set("model", Napi::String::New(env, cpu_name()));
  result.Set("caches", caches);
  return result;
}

napi_value set_num_threads(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  size_t threads;
  if (!read_size(env, args[0], "threads", &threads)) return nullptr;
  if (threads < 1 || threads > kMaxThreads) {
    return throw_error(env, code::kRange, "threads must be in [1, 1024], got %zu", threads);
  }
  ThreadPool::instance().set_num_threads(threads);
  return nullptr;
}

}  // namespace

void init_cpu(napi_env env, napi_value exports) {
  export_functions(env, exports, {{"cpuInfo", cpu_info}, {"setNumThreads", set_num_threads}});
}

}  // namespace qgemm::addon
