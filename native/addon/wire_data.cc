#include "addon/wire_data.h"

#include "addon/args.h"
#include "addon/env_state.h"
#include "addon/errors.h"
#include "core/wire_data.h"

namespace qgemm::addon {
namespace {

napi_value decode_varints_js(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  TypedArray bytes, out;
  size_t element_bytes;
  if (!read_typed_array(env, args[0], "bytes", napi_uint8_array, &bytes)) return nullptr;
  if (!read_size(env, args[1], "elementBytes", &element_bytes)) return nullptr;
  if (!read_typed_array(env, args[2], "out", napi_uint8_array, &out)) return nullptr;
  if (element_bytes != 1 && element_bytes != 2 && element_bytes != 4 && element_bytes != 8) {
    return throw_error(env, code::kRange, "elementBytes must be 1, 2, 4 or 8");
  }
  const VarintRun run =
      decode_varints(bytes.as<uint8_t>(), bytes.length, element_bytes, out.length / element_bytes, out.as<uint8_t>());
  napi_value object, consumed, decoded, malformed;
  napi_create_object(env, &object);
  napi_create_double(env, static_cast<double>(run.consumed), &consumed);
  napi_create_double(env, static_cast<double>(run.decoded), &decoded);
  napi_get_boolean(env, run.malformed, &malformed);
  napi_set_named_property(env, object, "consumed", consumed);
  napi_set_named_property(env, object, "decoded", decoded);
  napi_set_named_property(env, object, "malformed", malformed);
  return object;
}

napi_value unpack_nibbles_js(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  TypedArray packed, out;
  bool is_signed;
  if (!read_typed_array(env, args[0], "packed", napi_uint8_array, &packed)) return nullptr;
  if (!read_bool(env, args[1], "signed", &is_signed)) return nullptr;
  if (!read_typed_array(env, args[2], "out", napi_uint8_array, &out)) return nullptr;
  if (!check_length(env, "packed", packed, out.length / 2 + out.length % 2)) return nullptr;
  unpack_nibbles(packed.as<uint8_t>(), out.length, is_signed, out.as<uint8_t>());
  return nullptr;
}

}  // namespace

void init_wire_data(napi_env env, napi_value exports) {
  export_functions(env, exports, {{"decodeVarints", decode_varints_js}, {"unpackNibbles", unpack_nibbles_js}});
}

}  // namespace qgemm::addon
