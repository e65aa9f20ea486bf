#include "addon/mapping.h"

#include <cstring>
#include <string>

#include "addon/args.h"
#include "addon/env_state.h"
#include "addon/weights.h"

namespace qgemm::addon {

namespace {

// Kernels want arrays on whole cache lines (core/pack.h).
constexpr size_t kAlignment = 64;

napi_value map_file(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  std::string path;
  bool map;
  if (!read_string(env, args[0], "path", &path) || !read_bool(env, args[1], "map", &map)) return nullptr;
  if (path.find('\0') != std::string::npos) {
    return throw_error(env, code::kArgument, "path must not contain a zero character");
  }
  std::string error;
  auto handle = std::make_unique<MappingHandle>();
  handle->file = FileMap::open(path, map, &error);
  if (handle->file == nullptr) {
    return throw_error(env, code::kIo, "%.300s", error.c_str());
  }
  if (!map) handle->memory = std::make_shared<ExternalMemory>(env, handle->file->size());
  return wrap_handle(env, std::move(handle));
}

napi_value mapping_size(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  auto* handle = unwrap_live_handle<MappingHandle>(env, args[0]);
  napi_value result;
  if (handle == nullptr || napi_create_double(env, static_cast<double>(handle->file->size()), &result) != napi_ok) {
    return nullptr;
  }
  return result;
}

/// Throws FORMAT unless [offset, offset + length) lies in the file.
bool check_range(napi_env env, const FileMap& file, const char* name, size_t offset, size_t length) {
  if (length <= file.size() && offset <= file.size() - length) return true;
  throw_error(env, code::kFormat, "%s must lie within the file of %zu bytes, got %zu bytes at offset %zu", name,
              file.size(), length, offset);
  return false;
}

napi_value mapping_read(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  auto* handle = unwrap_live_handle<MappingHandle>(env, args[0]);
  size_t offset, length;
  if (handle == nullptr || !read_size(env, args[1], "offset", &offset) || !read_size(env, args[2], "length", &length) ||
      !check_range(env, *handle->file, "the range", offset, length)) {
    return nullptr;
  }
  std::shared_ptr<const FileMap> file = handle->file;
  TypedArray memory;
  napi_value result = new_typed_array(env, "Uint8Array", length, &memory);
  if (result != nullptr && length > 0) std::memcpy(memory.data, file->data() + offset, length);
  return result;
}

napi_value mapping_close(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  if (auto* handle = unwrap_handle<MappingHandle>(env, args[0])) {
    handle->file.reset();
    handle->memory.reset();
  }
  return nullptr;
}

/// What keeps weights from a file alive: the file, and copies of the arrays that do not lie on 64 bytes in it.
struct FileArrays {
  std::shared_ptr<const FileMap> file;
  AlignedBuffer copies[4];
  size_t copy_count = 0;
  size_t copied_bytes = 0;
};

/// Finds `length` bytes at the offset in property `name`. Null in `data` when the property is undefined.
bool find_array(napi_env env, napi_value offsets, const char* name, size_t length, FileArrays* arrays,
                const void** data) {
  napi_value value;
  size_t offset;
  *data = nullptr;
  if (napi_get_named_property(env, offsets, name, &value) != napi_ok) return false;
  if (is_null_or_undefined(env, value)) return true;
  if (!read_size(env, value, name, &offset) || !check_range(env, *arrays->file, name, offset, length)) return false;
  *data = arrays->file->data() + offset;
  if (reinterpret_cast<uintptr_t>(*data) % kAlignment == 0) return true;
  AlignedBuffer& copy = arrays->copies[arrays->copy_count++];
  if (!copy.allocate(length)) {
    throw_status(env, Status::out_of_memory, name);
    return false;
  }
  if (length > 0) std::memcpy(copy.as<char>(), *data, length);
  arrays->copied_bytes += length;
  *data = copy.as<char>();
  return true;
}

napi_value weights_from_mapping(napi_env env, napi_callback_info info) {
  Args<6> args(env, info);
  auto* handle = unwrap_live_handle<MappingHandle>(env, args[0]);
  auto weights = std::make_shared<PackedWeights>();
  auto arrays = std::make_shared<FileArrays>();
  size_t panels_bytes;
  if (handle == nullptr || !read_enum(env, args[1], "scheme", 2, &weights->scheme) ||
      !read_size(env, args[2], "n", &weights->n) || !read_size(env, args[3], "k", &weights->k) ||
      !read_enum(env, args[4], "activations", 2, &weights->activations)) {
    return nullptr;
  }
  arrays->file = handle->file;
  std::shared_ptr<ExternalMemory> memory = handle->memory;
  // What packed_size accepts is larger than each of the per-column arrays, so their sizes cannot overflow either.
  if (!packed_size(weights->scheme, weights->n, weights->k, &panels_bytes) || weights->n > SIZE_MAX / 8) {
    return throw_error(env, code::kLimit, "n * k must fit in memory, got %zu x %zu", weights->n, weights->k);
  }
  size_t column_bytes = weights->padded_n() * 4;
  const void *scales, *column_sums, *zero_points;
  if (!find_array(env, args[5], "panels", panels_bytes, arrays.get(), &weights->panels) ||
      !find_array(env, args[5], "scales", column_bytes, arrays.get(), &scales) ||
      !find_array(env, args[5], "columnSums", column_bytes, arrays.get(), &column_sums) ||
      !find_array(env, args[5], "zeroPoints", column_bytes, arrays.get(), &zero_points)) {
    return nullptr;
  }
  bool is_int8 = weights->scheme == Scheme::int8;
  if (weights->panels == nullptr || (is_int8 && (scales == nullptr || column_sums == nullptr))) {
    return throw_error(env, code::kArgument, "offsets must name panels, and for int8 scales and columnSums");
  }
  if (is_int8) {
    weights->scales = static_cast<const float*>(scales);
    weights->column_sums = static_cast<const int32_t*>(column_sums);
    weights->zero_points = static_cast<const int32_t*>(zero_points);
  }
  if (memory == nullptr && arrays->copied_bytes > 0) {
    memory = std::make_shared<ExternalMemory>(env, arrays->copied_bytes);
  }
  weights->owner = std::move(arrays);
  return wrap_handle(env, std::make_unique<WeightsHandle>(WeightsRef{std::move(weights), std::move(memory)}));
}

}  // namespace

void init_mapping(napi_env env, napi_value exports) {
  export_functions(env, exports,
                   {{"mapFile", map_file},
                    {"mappingSize", mapping_size},
                    {"mappingRead", mapping_read},
                    {"mappingClose", mapping_close},
                    {"weightsFromMapping", weights_from_mapping}});
}

}  // namespace qgemm::addon
