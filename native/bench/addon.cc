// The benchmark's own addon (bench/binding.gyp): not part of the package, built when the benchmark first runs. Limits
// of the machine, for calls from JavaScript: bench/limits.mjs.
#include <node_api.h>

#include <memory>
#include <new>

#include "bench/bandwidth.h"
#include "bench/loop_crew.h"
#include "bench/peak.h"
#include "core/aligned_buffer.h"

namespace qgemm {
namespace bench {
namespace {

constexpr size_t kTextLength = 64;

// The arguments of one call. After the first that has the wrong type nothing more is read, and a TypeError is pending.
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info, const char* usage) : env_(env), usage_(usage) {
    size_t count = kMost;
    if (napi_get_cb_info(env, info, &count, values_, nullptr, nullptr) != napi_ok) fail();
  }
  void text(char* out) {
    size_t length;
    expect(napi_get_value_string_utf8(env_, values_[next_++], out, kTextLength, &length));
  }
  double number() {
    double value = 0;
    expect(napi_get_value_double(env_, values_[next_++], &value));
    return value;
  }
  AlignedBuffer* buffer() {
    void* value = nullptr;
    expect(napi_get_value_external(env_, values_[next_++], &value));
    return static_cast<AlignedBuffer*>(value);
  }
  bool ok() const { return ok_; }

 private:
  static constexpr size_t kMost = 4;
  void expect(napi_status status) {
    if (ok_ && status != napi_ok) fail();
  }
  void fail() {
    ok_ = false;
    napi_throw_type_error(env_, nullptr, usage_);
  }

  napi_env env_;
  const char* usage_;
  napi_value values_[kMost] = {};
  size_t next_ = 0;
  bool ok_ = true;
};

napi_value make_number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value peak_instruction_call(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "peakInstruction(precision: 'int8' | 'float32', isa: string)");
  char precision[kTextLength], isa[kTextLength];
  arguments.text(precision);
  arguments.text(isa);
  if (!arguments.ok()) return nullptr;
  napi_value result = nullptr;
  const char* name = peak_instruction(precision[0] == 'i' ? Precision::int8 : Precision::float32, isa);
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &result);
  return result;
}

napi_value peak_gops_call(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "peakGops(instruction: string, milliseconds: number)");
  char instruction[kTextLength];
  arguments.text(instruction);
  const double milliseconds = arguments.number();
  return arguments.ok() ? make_number(env, peak_gops(instruction, milliseconds)) : nullptr;
}

napi_value register_loop_call(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "registerLoop(instruction: string, steps: number)");
  char instruction[kTextLength];
  arguments.text(instruction);
  const double steps = arguments.number();
  if (arguments.ok()) register_loop(instruction, static_cast<uint64_t>(steps));
  return nullptr;
}

std::unique_ptr<LoopCrew> crew;

napi_value start_crew_call(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "startCrew(instruction: string, threads: number)");
  char instruction[kTextLength];
  arguments.text(instruction);
  const double threads = arguments.number();
  if (arguments.ok()) crew = std::make_unique<LoopCrew>(instruction, static_cast<size_t>(threads));
  return nullptr;
}

napi_value crew_loop_call(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "crewLoop(steps: number), between startCrew and stopCrew");
  const double steps = arguments.number();
  if (arguments.ok() && crew != nullptr && steps >= 1) crew->run(static_cast<uint64_t>(steps));
  return nullptr;
}

napi_value stop_crew_call(napi_env, napi_callback_info) {
  crew.reset();
  return nullptr;
}

napi_value read_buffer_call(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "readBuffer(bytes: number)");
  const double bytes = arguments.number();
  if (!arguments.ok()) return nullptr;
  auto* buffer = new (std::nothrow) AlignedBuffer;
  if (buffer == nullptr || !buffer->allocate(static_cast<size_t>(bytes))) {
    delete buffer;
    napi_throw_error(env, nullptr, "not enough memory for the read-only loop");
    return nullptr;
  }
  // Pages exist once they are written to.
  for (size_t i = 0; i < buffer->size(); ++i) buffer->as<char>()[i] = static_cast<char>(i);
  const auto finalize = [](napi_env, void* data, void*) { delete static_cast<AlignedBuffer*>(data); };
  napi_value result = nullptr;
  napi_create_external(env, buffer, finalize, nullptr, &result);
  return result;
}

napi_value read_variants_call(napi_env env, napi_callback_info) {
  napi_value names = nullptr;
  napi_create_array(env, &names);
  for (uint32_t i = 0; i < read_variants(); ++i) {
    napi_value name = nullptr;
    napi_create_string_utf8(env, read_variant_name(i), NAPI_AUTO_LENGTH, &name);
    napi_set_element(env, names, i, name);
  }
  return names;
}

napi_value read_seconds_call(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "readSeconds(buffer, variant: number, threads: number, milliseconds: number)");
  const AlignedBuffer* buffer = arguments.buffer();
  const double variant = arguments.number(), threads = arguments.number(), milliseconds = arguments.number();
  if (!arguments.ok()) return nullptr;
  return make_number(env, read_seconds(static_cast<size_t>(variant), buffer->as<void>(), buffer->size(),
                                       static_cast<size_t>(threads), milliseconds));
}

napi_value init(napi_env env, napi_value exports) {
  const struct {
    const char* name;
    napi_callback call;
  } functions[] = {
      {"peakInstruction", peak_instruction_call},
      {"peakGops", peak_gops_call},
      {"registerLoop", register_loop_call},
      {"startCrew", start_crew_call},
      {"crewLoop", crew_loop_call},
      {"stopCrew", stop_crew_call},
      {"readBuffer", read_buffer_call},
      {"readVariants", read_variants_call},
      {"readSeconds", read_seconds_call},
  };
  for (const auto& [name, call] : functions) {
    napi_value function;
    if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &function) != napi_ok ||
        napi_set_named_property(env, exports, name, function) != napi_ok) {
      return nullptr;
    }
  }
  return exports;
}

}  // namespace
}  // namespace bench
}  // namespace qgemm

NAPI_MODULE(NODE_GYP_MODULE_NAME, qgemm::bench::init)
