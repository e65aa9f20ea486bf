#pragma once
#include <cstddef>
#include <string>

namespace qgemm {

enum : size_t { kMaxThreads = 1024 };

/// Threads that this process may usefully run: min(CPUs it is allowed on, ceil(CPU quota of its control groups)), at
/// least 1 and at most kMaxThreads. Reads the system at each call.
size_t available_threads();

/// ceil(quota) in CPUs from the text of a cgroup v2 `cpu.max` ("<quota|max> <period>"), or 0 where it sets no limit.
size_t parse_cpu_max(const char* text);

/// Reads the value of QGEMM_NUM_THREADS: null or "" gives `fallback`. Otherwise it must be an integer in [1,
/// kMaxThreads], else false and a sentence in `error`.
bool parse_thread_count(const char* text, size_t fallback, size_t* threads, std::string* error);

}  // namespace qgemm
