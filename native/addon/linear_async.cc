#include <memory>
#include <new>

#include "addon/args.h"
#include "addon/async_queue.h"
#include "addon/env_state.h"
#include "addon/linear.h"
#include "core/dispatch.h"

namespace qgemm::addon {

namespace {

class ForwardJob : public AsyncJob {
 public:
  ForwardJob(std::shared_ptr<const LinearLayer> layer, float* y) : layer_(std::move(layer)), y_(y) {}

  /// Reads x on the calling thread: what the caller does with it afterwards is of no consequence.
  Status snapshot(const float* x, size_t m) {
    return prepare_rows(*layer_->weights.weights, x, m, layer_->reject_non_finite, /*parallel=*/false, &rows_);
  }

  Status compute() override { return gemm(*layer_->weights.weights, rows_, layer_->epilogue, y_, &cancelled); }

 private:
  std::shared_ptr<const LinearLayer> layer_;
  PreparedRows rows_;
  float* y_;
};

/// Whether the whole operation takes less time than handing it to another thread (some 10 us): then it runs at once.
/// The bounds are multiply-adds that even weights from main memory are done with in that time.
bool is_small(const PackedWeights& weights, size_t m) {
  static const bool scalar = dispatch_config().features == kScalar;
  size_t limit = scalar ? size_t{1} << 13 : size_t{1} << 17;
  size_t row;
  size_t all;
  return checked_multiply(weights.n + 1, weights.k + 1, &row) && checked_multiply(row, m, &all) && all <= limit;
}

/// linearForwardAsync(linear, x, m, result, done): an id for linearCancel, or 0 when `result` is complete already;
/// `done` is then not called.
napi_value linear_forward_async(napi_env env, napi_callback_info info) {
  Args<5> args(env, info);
  ForwardCall call;
  if (!read_forward_call(env, args.values, &call)) return nullptr;
  napi_valuetype type = napi_undefined;
  napi_typeof(env, args[4], &type);
  if (type != napi_function) return throw_error(env, code::kArgument, "done must be a function");

  uint32_t id = 0;
  const std::shared_ptr<const LinearLayer>& layer = call.handle->layer;
  if (is_small(*layer->weights.weights, call.m)) {
    Status status =
        linear_forward(*layer->weights.weights, call.x, call.m, layer->reject_non_finite, layer->epilogue, call.y);
    if (status != Status::ok) return throw_status(env, status, "x");
  } else {
    AsyncQueue* queue = AsyncQueue::of(env);
    if (queue == nullptr) return nullptr;
    std::unique_ptr<ForwardJob> job(new (std::nothrow) ForwardJob(layer, call.y));
    Status status = job == nullptr ? Status::out_of_memory : job->snapshot(call.x, call.m);
    if (status != Status::ok) return throw_status(env, status, "x");
    id = queue->submit(job.release(), args[3], args[4]);
    if (id == 0) return nullptr;
  }
  napi_value result;
  return napi_create_uint32(env, id, &result) == napi_ok ? result : nullptr;
}

napi_value linear_cancel(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  size_t id;
  if (!read_size(env, args[0], "id", &id)) return nullptr;
  EnvState* state = env_state(env);
  if (state->async != nullptr) state->async->cancel(static_cast<uint32_t>(id));
  return nullptr;
}

}  // namespace

void init_linear_async(napi_env env, napi_value exports) {
  export_functions(env, exports, {{"linearForwardAsync", linear_forward_async}, {"linearCancel", linear_cancel}});
}

}  // namespace qgemm::addon
