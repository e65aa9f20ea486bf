#include "core/cpu_affinity.h"

#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace qgemm {

#if defined(__linux__)

int current_cpu() { return sched_getcpu(); }

long current_thread_id() { return syscall(SYS_gettid); }

void keep_off_cpu(long thread_id, int cpu) {
  cpu_set_t allowed;
  // Fails on machines with more CPUs than the set has room for: there, an idle one is never far.
  if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  CPU_CLR(cpu, &allowed);
  if (CPU_COUNT(&allowed) > 0) sched_setaffinity(static_cast<pid_t>(thread_id), sizeof allowed, &allowed);
}

void allow_all_cpus() {
  cpu_set_t allowed;
  // The main thread's: what the user, a container or taskset gave the process.
  if (sched_getaffinity(getpid(), sizeof allowed, &allowed) == 0) sched_setaffinity(0, sizeof allowed, &allowed);
}

#else

int current_cpu() { return -1; }
long current_thread_id() { return 0; }
void keep_off_cpu(long, int) {}
void allow_all_cpus() {}

#endif

}  // namespace qgemm
