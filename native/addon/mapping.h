#pragma once
#include <node_api.h>

#include <memory>

#include "addon/handles.h"
#include "core/file_map.h"

namespace qgemm::addon {

/// What a NativeMapping object of lib/native-types.ts owns.
struct MappingHandle {
  static constexpr char kName[] = "mapping";

  bool alive() const { return file != nullptr; }

  std::shared_ptr<const FileMap> file;
  std::shared_ptr<ExternalMemory> memory;  // of a private copy; null for a mapping
};

void init_mapping(napi_env env, napi_value exports);

}  // namespace qgemm::addon
