#include <cstring>
#include <memory>
#include <new>

#include "addon/args.h"
#include "addon/async_queue.h"
#include "addon/env_state.h"
#include "addon/linear_call.h"
#include "core/dispatch.h"

namespace qgemm::addon {

namespace {

class ForwardJob : public AsyncJob {
 public:
  /// Reads the input and the residual on the calling thread: what the caller does with them afterwards is of no
  /// consequence.
  Status snapshot(LayersCall call) {
    layers_ = std::move(call.layers);
    outputs_ = std::move(call.outputs);
    if (!copy_residual(call.m)) return Status::out_of_memory;
    return prepare_rows(call.scheme, call.input, call.m, call.reject_non_finite, /*parallel=*/false, &rows_);
  }

  Status compute() override {
    for (const LinearOutput& output : outputs_) {
      const Status status = gemm(*output.weights, rows_, output.epilogue, output.y, &cancelled);
      if (status != Status::ok) return status;
    }
    return Status::ok;
  }

 private:
  bool copy_residual(size_t m) {
    LinearOutput& first = outputs_[0];
    if (first.epilogue.residual == nullptr) return true;
    const size_t bytes = m * first.weights->n * sizeof(float);
    if (!residual_.allocate(bytes)) return false;
    std::memcpy(residual_.as<float>(), first.epilogue.residual, bytes);
    first.epilogue.residual = residual_.as<float>();
    return true;
  }

  std::vector<std::shared_ptr<const LinearLayer>> layers_;
  std::vector<LinearOutput> outputs_;
  AlignedBuffer residual_;
  PreparedRows rows_;
};

/// Whether the whole operation takes less time than handing it to another thread (some 10 us): then it runs at once.
/// The bounds are multiply-adds that even weights from main memory are done with in that time.
bool is_small(const LayersCall& call) {
  static const bool scalar = dispatch_config().features == kScalar;
  const size_t limit = scalar ? size_t{1} << 13 : size_t{1} << 17;
  size_t sum = 0;
  for (const LinearOutput& output : call.outputs) {
    size_t row, all;
    if (!checked_multiply(output.weights->n + 1, output.weights->k + 1, &row) || !checked_multiply(row, call.m, &all) ||
        all > limit) {
      return false;
    }
    sum += all;
  }
  return sum <= limit;
}

/// linearForwardAllAsync(linears, x, scales, zeroPoints, m, results, residual, done): an id for linearCancel, or 0 when
/// `results` are complete already; `done` is then not called.
napi_value linear_forward_all_async(napi_env env, napi_callback_info info) {
  Args<8> args(env, info);
  // Before the arguments: making the queue runs async hooks of the caller's, which may transfer their buffers.
  AsyncQueue* queue = AsyncQueue::of(env);
  LayersCall call;
  if (queue == nullptr || !read_layers_call(env, args.values, &call)) return nullptr;
  napi_valuetype type = napi_undefined;
  napi_typeof(env, args[7], &type);
  if (type != napi_function) return throw_error(env, code::kArgument, "done must be a function");

  uint32_t id = 0;
  if (is_small(call)) {
    const Status status = forward_layers(call.scheme, call.input, call.m, call.reject_non_finite, call.outputs.data(),
                                         call.outputs.size());
    if (status != Status::ok) return throw_status(env, status, "x");
  } else {
    std::unique_ptr<ForwardJob> job(new (std::nothrow) ForwardJob);
    const Status status = job == nullptr ? Status::out_of_memory : job->snapshot(std::move(call));
    if (status != Status::ok) return throw_status(env, status, "x");
    id = queue->submit(job.release(), args[5], args[7]);
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
  export_functions(env, exports,
                   {{"linearForwardAllAsync", linear_forward_all_async}, {"linearCancel", linear_cancel}});
}

}  // namespace qgemm::addon
