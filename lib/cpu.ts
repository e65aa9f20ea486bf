import { checkInteger } from './check.js';
import { native } from './native.js';

/** What {@link cpuInfo} reports. */
export interface CpuInfo {
  /** The instruction set that the int8 kernels in use need: the best that this CPU has, below `QGEMM_MAX_ISA`. */
  readonly isa: string;
  /** Instruction sets that may be used, oldest first. */
  readonly features: readonly string[];
  /** Names of all kernels that can run here, best first for each operation. */
  readonly kernels: readonly string[];
  /** Threads that one operation may use. */
  readonly numThreads: number;
  /** The CPU's own name, or '' where it has none. */
  readonly model: string;
  /** Bytes of the caches of one core (level 3: of the cores that share it); 0 where unknown. */
  readonly caches: { readonly l1d: number; readonly l2: number; readonly l3: number };
}

/** The CPU, what of it is used, and by how many threads. */
export function cpuInfo(): CpuInfo {
  return native.cpuInfo();
}

/**
 * Sets how many threads one operation may use, in the whole process: its caller and the library's own threads together.
 * At the start it is the number of CPUs that the process may use (affinity and control-group quota), or
 * `QGEMM_NUM_THREADS`. Threads are started when first needed.
 *
 * @param threads - an integer in [1, 1024]
 * @throws QgemmError ARGUMENT when it is not a number, RANGE when it is not an integer in that range
 */
export function setNumThreads(threads: number): void {
  native.setNumThreads(checkInteger('threads', threads, 1, 1024));
}
