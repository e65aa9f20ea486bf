#include "addon/byte_tools.h"

#include "addon/args.h"
#include "addon/env_state.h"
#include "addon/errors.h"
#include "core/crc32.h"
#include "core/strided_copy.h"

namespace qgemm::addon {
namespace {

/// A number of the dimension list: an integer in [0, 2^53).
bool to_size(double number, size_t* result) {
  if (!(number >= 0 && number < 9007199254740992.0 && number == static_cast<double>(static_cast<uint64_t>(number)))) {
    return false;
  }
  if (number > static_cast<double>(SIZE_MAX)) return false;
  *result = static_cast<size_t>(number);
  return true;
}

napi_value copy_strided(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  TypedArray source, target, list;
  size_t element_bytes;
  if (!read_typed_array(env, args[0], "source", napi_uint8_array, &source)) return nullptr;
  if (!read_typed_array(env, args[1], "target", napi_uint8_array, &target)) return nullptr;
  if (!read_size(env, args[2], "elementBytes", &element_bytes)) return nullptr;
  if (!read_typed_array(env, args[3], "dims", napi_float64_array, &list)) return nullptr;
  if (element_bytes != 1 && element_bytes != 2 && element_bytes != 4 && element_bytes != 8) {
    return throw_error(env, code::kRange, "elementBytes must be 1, 2, 4 or 8");
  }
  if (list.length % 3 != 0 || list.length / 3 > kMaxRank) {
    return throw_error(env, code::kShape, "dims must have 3 numbers for each of at most %zu dimensions", kMaxRank);
  }
  StridedDim dims[kMaxRank];
  const size_t rank = list.length / 3;
  for (size_t d = 0; d < rank; ++d) {
    const double* numbers = list.as<double>() + 3 * d;
    if (!to_size(numbers[0], &dims[d].size) || !to_size(numbers[1], &dims[d].src_stride) ||
        !to_size(numbers[2], &dims[d].dst_stride)) {
      return throw_error(env, code::kRange, "dims must be integers >= 0");
    }
  }
  size_t read, written;
  if (!strided_extent(dims, rank, false, &read) || read > source.length / element_bytes) {
    return throw_error(env, code::kShape, "dims must lie within source");
  }
  if (!strided_extent(dims, rank, true, &written) || written > target.length / element_bytes) {
    return throw_error(env, code::kShape, "dims must lie within target");
  }
  strided_copy(source.as<uint8_t>(), target.as<uint8_t>(), element_bytes, dims, rank);
  return nullptr;
}

napi_value compute_crc32(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  TypedArray bytes;
  size_t seed;
  if (!read_typed_array(env, args[0], "bytes", napi_uint8_array, &bytes)) return nullptr;
  if (!read_size(env, args[1], "seed", &seed)) return nullptr;
  if (seed > UINT32_MAX) return throw_error(env, code::kRange, "seed must be below 2^32");
  napi_value result;
  napi_create_uint32(env, crc32(bytes.as<uint8_t>(), bytes.length, static_cast<uint32_t>(seed)), &result);
  return result;
}

}  // namespace

void init_byte_tools(napi_env env, napi_value exports) {
  export_functions(env, exports, {{"stridedCopy", copy_strided}, {"crc32", compute_crc32}});
}

}  // namespace qgemm::addon
