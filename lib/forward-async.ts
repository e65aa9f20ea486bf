import { onAbort } from './abort.js';
import { fail } from './check.js';
import { QgemmError } from './errors.js';
import { native } from './native.js';
import type { ResultArray } from './result-memory.js';

/** Operations that one thread may have outstanding. More would only pile up memory: the caller has to wait anyway. */
const maxOutstanding = 1024;
let outstanding = 0;

/** @internal Throws ARGUMENT for anything but an AbortSignal, and the signal's reason where it is aborted already. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    fail('ERR_QGEMM_ARGUMENT', 'signal', 'an AbortSignal', signal);
  }
  signal?.throwIfAborted();
}

/** @internal Throws QUEUE_FULL when this thread may not start another operation. */
export function checkQueue(): void {
  if (outstanding >= maxOutstanding) {
    throw new QgemmError(
      'ERR_QGEMM_QUEUE_FULL',
      `this thread has ${maxOutstanding} operations outstanding already: await some before starting more`,
    );
  }
}

/**
 * @internal Runs an operation whose arguments were checked. `start` queues it and returns its id, or 0 when it is complete
 * at once; results are written to memory that nobody else can reach, and `finish` hands them over on this thread.
 */
export function runAsync<T>(
  start: (done: (error: Error | null) => void) => number,
  finish: () => T,
  signal: AbortSignal | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null): void => {
      outstanding -= 1;
      if (signal?.aborted) return reject(signal.reason as Error);
      stopListening?.();
      if (error !== null) return reject(error);
      try {
        resolve(finish());
      } catch (cause) {
        reject(cause as Error);
      }
    };
    // Throwing in here rejects the promise. A small operation is complete at once (id 0), but still settles from the
    // event loop: a loop of awaits must not keep timers from running.
    const id = start(settle);
    outstanding += 1;
    if (id === 0) setImmediate(settle, null);
    const cancel = (): void => {
      reject(signal?.reason as Error);
      if (id !== 0) native.linearCancel(id);
    };
    const stopListening = signal && onAbort(signal, cancel);
  });
}

/** @internal Copies a result into `out`, where given, unless `out` can no longer take it. */
export function handOver<T extends ResultArray>(name: string, out: T | undefined, result: T): T {
  if (out === undefined) return result;
  try {
    if (out.length === result.length) {
      // Throws where the buffer is gone: an empty array tells nothing by its length, and compiled code of Node 20 has been
      // seen to find the old length after many detached buffers.
      out.set(result);
      return out;
    }
  } catch {
    // The same answer.
  }
  throw new QgemmError(
    'ERR_QGEMM_DETACHED',
    `${name} must keep its ${result.length} elements until the promise settles, but its buffer was transferred or resized`,
  );
}
