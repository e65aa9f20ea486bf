#pragma once
#include <cstdint>
#include <string>

namespace qgemm {

/// Features that this CPU has and the operating system saves, detected once (cpuid traps in a virtual machine).
uint32_t cpu_features();

/// The CPU's brand string, or "" where the platform has none.
const std::string& cpu_name();

/// Bytes of the level-1 data, level-2 and level-3 cache of one core (level 3: of its share group); 0 where unknown.
struct CacheSizes {
  uint32_t l1d, l2, l3;
};
CacheSizes cpu_caches();

/// The tag of one feature bit, e.g. "avx512vnni"; "scalar" for 0.
const char* isa_tag(uint32_t feature);

}  // namespace qgemm
