import { checkLength, checkTypedArray, fail } from './check.js';
import { QgemmError } from './errors.js';
import { native } from './native.js';
import type { NativeLinear } from './native-types.js';
import { allocate } from './tensor.js';

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
  const result = allocate(Float32Array, size);
  return new Promise((resolve, reject) => {
    let id = 0;
    const onAbort = (): void => {
      reject((signal as AbortSignal).reason as Error);
      if (id !== 0) native.linearCancel(id);
    };
    const settle = (error: Error | null): void => {
      outstanding -= 1;
      signal?.removeEventListener('abort', onAbort);
      if (signal?.aborted) return;
      if (error !== null) return reject(error);
      try {
        resolve(out === undefined ? result : copyInto(out, result));
      } catch (cause) {
        reject(cause as Error);
      }
    };
    // Throwing in here rejects the promise. A small operation is complete at once (id 0), but still settles from the
    // event loop: a loop of awaits must not keep timers from running.
    id = native.linearForwardAsync(linear, x, m, result, settle);
    outstanding += 1;
    if (id === 0) setImmediate(settle, null);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Copies the result, unless `out` was detached or resized while the operation ran. */
function copyInto(out: Float32Array, result: Float32Array): Float32Array {
  checkTypedArray('out', out, Float32Array);
  checkLength('out', out, result.length, 'M * N');
  out.set(result);
  return out;
}
