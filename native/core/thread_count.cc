#include "core/thread_count.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace qgemm {

namespace {

size_t ceil_quota(double quota, double period) {
  if (!(quota > 0) || !(period > 0)) return 0;
  double cpus = quota / period;
  if (cpus >= static_cast<double>(kMaxThreads)) return kMaxThreads;
  size_t whole = static_cast<size_t>(cpus);
  return whole + (static_cast<double>(whole) < cpus ? 1 : 0);
}

#if defined(__linux__)

/// The start of a small text file, or "" when it cannot be read.
std::string read_text(const std::string& path) {
  char buffer[4096];
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return "";
  size_t length = std::fread(buffer, 1, sizeof(buffer), file);
  std::fclose(file);
  return std::string(buffer, length);
}

size_t smaller_limit(size_t a, size_t b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

size_t quota_v2(const std::string& folder) { return parse_cpu_max(read_text(folder + "/cpu.max").c_str()); }

size_t quota_v1(const std::string& folder) {
  double quota = std::strtod(read_text(folder + "/cpu.cfs_quota_us").c_str(), nullptr);
  double period = std::strtod(read_text(folder + "/cpu.cfs_period_us").c_str(), nullptr);
  return ceil_quota(quota, period);
}

/// The smallest limit from a group up to the root. A limit holds for everything below it, and inside a container the
/// path that the kernel names may not be visible: then only its upper part, or the root, is found.
size_t quota_up(const std::string& mount, std::string group, size_t (*quota)(const std::string&)) {
  size_t limit = 0;
  while (true) {
    limit = smaller_limit(limit, quota(mount + (group == "/" ? "" : group)));
    size_t slash = group.rfind('/');
    if (group.empty() || slash == std::string::npos) return limit;
    group.resize(slash);
  }
}

bool lists_cpu(const std::string& controllers) { return ("," + controllers + ",").find(",cpu,") != std::string::npos; }

/// Reads /proc/self/cgroup: lines "<id>:<controllers>:<path>", no controllers in version 2.
size_t cgroup_limit() {
  std::string groups = read_text("/proc/self/cgroup");
  size_t limit = 0;
  for (size_t start = 0; start < groups.size();) {
    size_t end = std::min(groups.find('\n', start), groups.size());
    std::string line = groups.substr(start, end - start);
    start = end + 1;
    size_t first = line.find(':');
    size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1);
    std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      limit = smaller_limit(limit, quota_up("/sys/fs/cgroup", group, quota_v2));
      limit = smaller_limit(limit, quota_up("/sys/fs/cgroup/unified", group, quota_v2));
    } else if (lists_cpu(controllers)) {
      limit = smaller_limit(limit, quota_up("/sys/fs/cgroup/" + controllers, group, quota_v1));
      limit = smaller_limit(limit, quota_up("/sys/fs/cgroup/cpu", group, quota_v1));
    }
  }
  return limit;
}

size_t allowed_cpus() {
  // The kernel refuses a mask smaller than its own: grow until it fits.
  for (int cpus = 1024; cpus <= 1024 * 64; cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(cpus);
    if (set == nullptr) return 0;
    size_t bytes = CPU_ALLOC_SIZE(cpus);
    CPU_ZERO_S(bytes, set);
    int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return static_cast<size_t>(count);
  }
  return 0;
}

#else

size_t cgroup_limit() { return 0; }
size_t allowed_cpus() { return 0; }

#endif

}  // namespace

size_t parse_cpu_max(const char* text) {
  char* end = nullptr;
  double quota = std::strtod(text, &end);
  if (end == text) return 0;  // "max", or no such file
  return ceil_quota(quota, std::strtod(end, nullptr));
}

size_t available_threads() {
  size_t threads = allowed_cpus();
  if (threads == 0) threads = std::thread::hardware_concurrency();
  if (threads == 0) threads = 1;
  size_t limit = cgroup_limit();
  if (limit != 0) threads = std::min(threads, limit);
  return std::min<size_t>(threads, kMaxThreads);
}

bool parse_thread_count(const char* text, size_t fallback, size_t* threads, std::string* error) {
  *threads = fallback;
  if (text == nullptr || *text == '\0') return true;
  size_t digits = std::strspn(text, "0123456789");
  unsigned long value = digits > 0 && digits <= 4 && text[digits] == '\0' ? std::strtoul(text, nullptr, 10) : 0;
  if (value < 1 || value > kMaxThreads) {
    *error = "QGEMM_NUM_THREADS must be an integer in [1, 1024], got \"" + std::string(text).substr(0, 60) + "\"";
    return false;
  }
  *threads = value;
  return true;
}

}  // namespace qgemm
