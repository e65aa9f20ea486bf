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

/// What asking for weights some steps before they are read costs where they are near after all. CPUs differ: Emerald
/// Rapids reads 1.1 to 2.8 times as fast from level 3 and memory when asked; Zen 4 up to a third slower with few rows;
/// Zen 5 reads for up to four rows 1.1 times as fast from level 3 when asked, and for three rows and more 1.1 to 1.5
/// times as fast from memory, but no faster for one or two. They are told apart by their level-2 caches and by
/// AVX-VNNI: Intel's servers have 2 MiB since Sapphire Rapids, its clients (Alder to Arrow Lake, Sierra Forest, some
/// with 1.25 MiB) no AVX512-VNNI beside it, and Zen 4 has none of it.
enum class Asking { costs, pays_from_far, is_free };
Asking asking();
inline bool asking_is_free() { return asking() == Asking::is_free; }

/// Whether few rows read weights fastest panel by panel: Zen 5. Zen 4 likes several streams from its caches.
bool one_stream_is_enough();

/// Whether storing a vector of 512 bits across two cache lines costs more than putting together what belongs into one:
/// on Intel's servers (up to 10 %), not on Zen 4 (2 % less). They are told apart by level-2 caches of 2 MiB.
bool stores_across_lines_are_slow();

/// The tag of one feature bit, e.g. "avx512vnni"; "scalar" for 0.
const char* isa_tag(uint32_t feature);

}  // namespace qgemm
