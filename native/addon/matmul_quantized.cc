// matmulQuantized and matmulQuantizedAsync of lib/native-types.ts.
#include "core/matmul_quantized.h"

#include <cstring>
#include <memory>
#include <new>

#include "addon/args.h"
#include "addon/async_queue.h"
#include "addon/env_state.h"
#include "addon/matmul_quantized.h"
#include "core/aligned_buffer.h"

namespace qgemm::addon {

namespace {

// The arguments (a, b, batch, m, n, k, transposeB, scale, out), checked.
struct Call {
  TypedArray a, b, c;
  BatchedShape shape;
  float scale;
};

bool read_matrix(napi_env env, napi_value value, const char* name, size_t batch, size_t rows, size_t columns,
                 TypedArray* array) {
  size_t matrix, size;
  if (!checked_multiply(rows, columns, &matrix) || !checked_multiply(matrix, batch, &size)) {
    throw_error(env, code::kLimit, "%s must fit the address space", name);
    return false;
  }
  return read_typed_array(env, value, name, napi_float32_array, array) && check_length(env, name, *array, size);
}

bool read_call(napi_env env, const napi_value* arguments, Call* call) {
  BatchedShape& s = call->shape;
  return read_size(env, arguments[2], "batch", &s.batch) && read_size(env, arguments[3], "m", &s.m) &&
         read_size(env, arguments[4], "n", &s.n) && read_size(env, arguments[5], "k", &s.k) &&
         read_bool(env, arguments[6], "transposeB", &s.transpose_b) &&
         read_float(env, arguments[7], "scale", &call->scale) &&
         read_matrix(env, arguments[0], "a", s.batch, s.m, s.k, &call->a) &&
         read_matrix(env, arguments[1], "b", s.batch, s.k, s.n, &call->b) &&
         read_matrix(env, arguments[8], "out", s.batch, s.m, s.n, &call->c);
}

Status run(const Call& call) {
  return matmul_quantized(call.a.as<float>(), call.b.as<float>(), call.shape, call.scale, call.c.as<float>(), nullptr);
}

class MatmulJob : public AsyncJob {
 public:
  // Copies the operands: what the caller does with them afterwards is of no consequence.
  bool snapshot(const Call& call) {
    shape_ = call.shape;
    scale_ = call.scale;
    c_ = call.c.as<float>();
    return copy(call.a, &a_) && copy(call.b, &b_);
  }

  Status compute() override { return matmul_quantized(a_.as<float>(), b_.as<float>(), shape_, scale_, c_, &cancelled); }

 private:
  static bool copy(const TypedArray& from, AlignedBuffer* to) {
    const size_t bytes = from.length * sizeof(float);
    if (!to->allocate(bytes)) return false;
    if (bytes > 0) std::memcpy(to->as<char>(), from.data, bytes);
    return true;
  }

  BatchedShape shape_;
  float scale_ = 1.0f;
  AlignedBuffer a_, b_;
  float* c_ = nullptr;
};

napi_value matmul_quantized_js(napi_env env, napi_callback_info info) {
  const Args<9> args(env, info);
  Call call;
  if (!read_call(env, args.values, &call)) return nullptr;
  const Status status = run(call);
  return status == Status::ok ? nullptr : throw_status(env, status, "a");
}

/// matmulQuantizedAsync(..., out, done): an id for linearCancel.
napi_value matmul_quantized_async_js(napi_env env, napi_callback_info info) {
  const Args<10> args(env, info);
  // Before the arguments: making the queue runs async hooks of the caller's, which may transfer their buffers.
  AsyncQueue* queue = AsyncQueue::of(env);
  Call call;
  if (queue == nullptr || !read_call(env, args.values, &call)) return nullptr;
  napi_valuetype type = napi_undefined;
  napi_typeof(env, args[9], &type);
  if (type != napi_function) return throw_error(env, code::kArgument, "done must be a function");
  std::unique_ptr<MatmulJob> job(new (std::nothrow) MatmulJob);
  if (job == nullptr || !job->snapshot(call)) return throw_status(env, Status::out_of_memory, "a");
  const uint32_t id = queue->submit(job.release(), args[8], args[9]);
  napi_value result;
  return id != 0 && napi_create_uint32(env, id, &result) == napi_ok ? result : nullptr;
}

}  // namespace

void init_matmul_quantized(napi_env env, napi_value exports) {
  export_functions(env, exports,
                   {{"matmulQuantized", matmul_quantized_js}, {"matmulQuantizedAsync", matmul_quantized_async_js}});
}

}  // namespace qgemm::addon
