import { onAbort } from './abort.js';
import { fail } from './check.js';
import { QgemmError } from './errors.js';
import { native } from './native.js';
import type { NativeLinear } from './native-types.js';
import { allocateResult } from './result-memory.js';

/** Options of `Linear.forwardAsync`. */
export interface ForwardAsyncOptions {
  /** Where to write y, M * N values: on this thread, right before the promise resolves to it. */
  out?: Float32Array;
  /** Aborting it cancels the work; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Operations that one thread may have outstanding. More would only pile up memory: the caller has to wait anyway. */
const maxOutstanding = 1024;
let outstanding = 0;

/**
 * Starts a multiplication whose arguments were checked. The result is written to memory that nobody else can reach, and
 * handed over on this thread.
 */
export function forwardAsync(
  linear: NativeLinear,
  x: Float32Array,
  m: number,
  size: number,
  out: Float32Array | undefined,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    fail('ERR_QGEMM_ARGUMENT', 'signal', 'an AbortSignal', signal);
  }
  signal?.throwIfAborted();
  if (outstanding >= maxOutstanding) {
    throw new QgemmError(
      'ERR_QGEMM_QUEUE_FULL',
      `this thread has ${maxOutstanding} operations outstanding already: await some before starting more`,
    );
  }
  const result = allocateResult(size);
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null): void => {
      outstanding -= 1;
      if (signal?.aborted) return reject(signal.reason as Error);
      stopListening?.();
      if (error !== null) return reject(error);
      try {
        resolve(out === undefined ? result : copyInto(out, result));
      } catch (cause) {
        reject(cause as Error);
      }
    };
    // Throwing in here rejects the promise. A small operation is complete at once (id 0), but still settles from the
    // event loop: a loop of awaits must not keep timers from running.
    const id = native.linearForwardAsync(linear, x, m, result, settle);
    outstanding += 1;
    if (id === 0) setImmediate(settle, null);
    const cancel = (): void => {
      reject(signal?.reason as Error);
      if (id !== 0) native.linearCancel(id);
    };
    const stopListening = signal && onAbort(signal, cancel);
  });
}

/** Copies the result, unless `out` can no longer take it. */
function copyInto(out: Float32Array, result: Float32Array): Float32Array {
  if (out.length !== result.length) {
    throw new QgemmError(
      'ERR_QGEMM_DETACHED',
      `out must keep its ${result.length} elements until the promise settles, but its buffer was transferred or resized`,
    );
  }
  out.set(result);
  return out;
}
