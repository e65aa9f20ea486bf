#pragma once

namespace qgemm {

/// The CPU that the calling thread runs on, or -1 where the system does not tell.
int current_cpu();

/// The calling thread as `keep_off_cpu` names it.
long current_thread_id();

/// Moves a thread of ours away from `cpu`: to the other CPUs that the calling thread may use. Does nothing where there
/// is no other.
///
/// Woken beside busy neighbours, a helper is often put on its caller's own CPU, where it can only take the caller's
/// time; the scheduler's balancing comes milliseconds later, far too late for work of microseconds.
void keep_off_cpu(long thread_id, int cpu);

/// Lets the calling thread run again wherever the process may.
void allow_all_cpus();

}  // namespace qgemm
