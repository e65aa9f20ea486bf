import { checkLength, checkOneOf, checkOptions, checkTypedArray, fail } from './check.js';
import { QgemmError } from './errors.js';
import { forwardAsync, type ForwardAsyncOptions } from './forward-async.js';
import { native } from './native.js';
import type { NativeLinear } from './native-types.js';
import { liveWeights, type PackedWeights } from './packed-weights.js';
import { allocateResult } from './result-memory.js';

/** What is applied to each output. */
export type Activation = 'none' | 'relu' | 'gelu' | 'gelu-tanh' | 'silu';

const activations: readonly Activation[] = ['none', 'relu', 'gelu', 'gelu-tanh', 'silu'];

/** Options of {@link Linear}. */
export interface LinearOptions {
  /** N values, added before the activation. Copied. */
  bias?: Float32Array;
  /** Default `'none'`. `'gelu'` is the exact one (erf), `'gelu-tanh'` its usual approximation. */
  activation?: Activation;
  /** What NaN and infinities in x do: `'clip'` (default) takes the nearest code, `'error'` throws RANGE. */
  nonFinite?: 'clip' | 'error';
}

/**
 * A linear layer, y = activation(x * W^T + bias): x float32 [M, K], W [N, K], y float32 [M, N], all row-major.
 *
 * Int8 weights: each row of x is quantized to 8 bits inside the call (docs/quantization.md). A row's result is the same
 * bits whatever else is in the batch, on any CPU, with any number of threads.
 */
export class Linear {
  readonly #native: NativeLinear;
  readonly #n: number;
  readonly #k: number;

  /**
   * @param weights - kept by the layer: disposing of `weights` afterwards does not affect it
   * @throws QgemmError ARGUMENT, SHAPE, DTYPE, DETACHED for malformed arguments; DISPOSED when `weights` was disposed of
   */
  constructor(weights: PackedWeights, options?: LinearOptions) {
    const given = checkOptions<LinearOptions>('options', options, ['bias', 'activation', 'nonFinite']);
    const { bias, activation = 'none', nonFinite = 'clip' } = given;
    checkOneOf('activation', activation, activations);
    checkOneOf('nonFinite', nonFinite, ['clip', 'error']);
    const { handle, info } = liveWeights('weights', weights);
    if (bias !== undefined) {
      checkTypedArray('bias', bias, Float32Array);
      checkLength('bias', bias, info.n, 'N, one per output');
    }
    this.#n = info.n;
    this.#k = info.k;
    this.#native = native.linearCreate(handle, bias ?? null, activations.indexOf(activation), nonFinite === 'error');
  }

  /** Outputs: columns of y. */
  get n(): number {
    return Linear.#check(this).#n;
  }

  /** Inputs: columns of x. */
  get k(): number {
    return Linear.#check(this).#k;
  }

  /**
   * Multiplies on the calling thread and the pool, and returns when y is complete.
   *
   * @param x - M rows of K values; M follows from the length. K = 0: as many rows as `out` has, none without it
   * @param out - where to write y, M * N values; it may share memory with x. Default: a new array
   * @returns y: `out` where given
   * @throws QgemmError ARGUMENT, DTYPE, SHAPE, DETACHED for malformed arguments, RANGE for non-finite x under
   * `nonFinite: 'error'`, DISPOSED, OUT_OF_MEMORY; `out` is then untouched
   */
  forward(x: Float32Array, out?: Float32Array): Float32Array {
    Linear.#check(this);
    const m = rowsOf(x, out, this.#n, this.#k);
    const y = out ?? allocateResult(m * this.#n);
    native.linearForward(this.#native, x, m, y);
    return y;
  }

  /**
   * Multiplies on the library's own threads. x is read before this returns; what happens to it afterwards (even being
   * transferred to another thread) does not matter.
   *
   * @param x - as for {@link Linear.forward}
   * @param options - `out`: where to write y, on this thread, right before the promise resolves to it. `signal`: aborting
   * it cancels the work and rejects with its reason
   * @returns y. Rejects, and never throws, with what forward() throws, and with QUEUE_FULL while 1024 operations of this
   * thread are outstanding, and DETACHED when `out` was detached meanwhile
   */
  async forwardAsync(x: Float32Array, options?: ForwardAsyncOptions): Promise<Float32Array> {
    Linear.#check(this);
    const given = checkOptions<ForwardAsyncOptions>('options', options, ['out', 'signal']);
    const { out, signal } = given;
    const m = rowsOf(x, out, this.#n, this.#k);
    return forwardAsync(this.#native, x, m, m * this.#n, out, signal);
  }

  /** Lets go of the weights; may be called again. Jobs in flight finish; forward and forwardAsync give DISPOSED. */
  dispose(): void {
    native.linearDispose(Linear.#check(this).#native);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  static #check(value: unknown): Linear {
    if (typeof value !== 'object' || value === null || !(#native in value)) {
      fail('ERR_QGEMM_ARGUMENT', 'the receiver', 'a Linear', value);
    }
    return value;
  }
}

/** M from the lengths of x and out, which are checked. */
function rowsOf(x: Float32Array, out: Float32Array | undefined, n: number, k: number): number {
  checkTypedArray('x', x, Float32Array);
  if (out !== undefined) checkTypedArray('out', out, Float32Array);
  const { length } = x;
  if (k === 0) {
    checkLength('x', x, 0, 'K = 0');
    if (out === undefined || n === 0) return 0;
    if (out.length % n !== 0) {
      throw new QgemmError('ERR_QGEMM_SHAPE', `out must have a multiple of N = ${n} elements, got ${out.length}`);
    }
    return out.length / n;
  }
  if (length % k !== 0) {
    throw new QgemmError('ERR_QGEMM_SHAPE', `x must have a multiple of K = ${k} elements, got ${length}`);
  }
  const m = length / k;
  if (out !== undefined && out.length !== m * n) checkLength('out', out, m * n, `M * N = ${m} * ${n}`);
  return m;
}
