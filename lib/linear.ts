import { checkLength, checkOptions, checkTypedArray, expectedInstance, fail } from './check.js';
import { QgemmError } from './errors.js';
import { checkQueue, checkSignal, handOver, runAsync } from './forward-async.js';
import { countRows, readInput, type LinearInput, type QuantizedInput } from './linear-input.js';
import { readLinearOptions, type LinearOptions, type OutputArray, type OutputDType } from './linear-options.js';
import { native } from './native.js';
import type { NativeLinear } from './native-types.js';
import { liveWeights, type PackedWeights } from './packed-weights.js';
import { allocateResult, makeArray, resultClasses, type ResultArray, type ResultClass } from './result-memory.js';
import { SCHEMES } from './schemes.js';

/** Options of {@link Linear.forward}. */
export interface ForwardOptions {
  /** M * N values that are added to y, after the activation. `out` may be the same array. */
  residual?: Float32Array;
}

/** Options of {@link Linear.forwardAsync}. */
export interface ForwardAsyncOptions<D extends OutputDType = 'float32'> extends ForwardOptions {
  /** Where to write y, M * N values: on this thread, right before the promise resolves to it. */
  out?: OutputArray<D>;
  /** Aborting it cancels the work; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Any {@link Linear}, as {@link Linear.forwardAll} takes it. It does not name the type of the outputs: written as
 * `Linear<OutputDType>` it would make that the type of a layer which is made right in the call.
 */
export interface AnyLinear {
  readonly n: number;
  readonly k: number;
  forward(x: Float32Array, out?: never): Float32Array | Int8Array | Uint8Array;
}

/** Options of {@link Linear.forwardAllAsync}. */
export interface ForwardAllAsyncOptions<L extends readonly AnyLinear[]> {
  /** Where to write the results, one array for each layer. */
  outs?: OutputsOf<L>;
  /** Aborting it cancels the work; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** The results of several layers, in their order. */
export type OutputsOf<L extends readonly AnyLinear[]> = {
  -readonly [I in keyof L]: L[I] extends Linear<infer D> ? OutputArray<D> : never;
};

/**
 * A linear layer, y = activation(x * W^T + bias): x float32 [M, K], W [N, K], y float32 [M, N], all row-major.
 *
 * Int8 weights: each row of x is quantized to 8 bits inside the call (docs/quantization.md), or with one given scale
 * (`input`), or it comes quantized. A row's result is the same bits whatever else is in the batch, on any CPU, with any
 * number of threads. With `output` y is int8 or uint8 codes.
 */
export class Linear<D extends OutputDType = 'float32'> {
  readonly #native: NativeLinear;
  readonly #n: number;
  readonly #k: number;
  readonly #type: ResultClass;
  readonly #float32Weights: boolean;
  /** How rows of x are quantized: layers for which it is equal can share them. */
  readonly #inputScheme: string;

  /**
   * @param weights - kept by the layer: disposing of `weights` afterwards does not affect it
   * @throws QgemmError ARGUMENT, SHAPE, DTYPE, RANGE, DETACHED for malformed arguments; DISPOSED when `weights` was
   * disposed of
   */
  constructor(weights: PackedWeights, options?: LinearOptions<D>) {
    const { handle, info } = liveWeights('weights', weights);
    this.#float32Weights = SCHEMES[info.scheme] === 'float32';
    const checked = readLinearOptions(options, this.#float32Weights);
    const { bias, input, output } = checked;
    if (bias !== undefined) {
      checkTypedArray('bias', bias, Float32Array);
      checkLength('bias', bias, info.n, 'N, one per output');
    }
    this.#n = info.n;
    this.#k = info.k;
    this.#type = resultClasses[output === null ? 'float32' : output.signed ? 'int8' : 'uint8'] as ResultClass;
    const scheme = input === null ? [info.activations] : [input.scale, input.zeroPoint + (input.signed ? 128 : 0)];
    this.#inputScheme = [info.scheme, ...scheme].join(' ');
    this.#native = native.linearCreate(
      handle,
      bias ?? null,
      checked.activation,
      checked.rejectNonFinite,
      input,
      output,
    );
  }

  /** Outputs: columns of y. */
  get n(): number {
    return Linear.#check('the receiver', this).#n;
  }

  /** Inputs: columns of x. */
  get k(): number {
    return Linear.#check('the receiver', this).#k;
  }

  /**
   * Multiplies on the calling thread and the pool, and returns when y is complete.
   *
   * @param x - M rows of K values; M follows from the length. K = 0: as many rows as `out` has, none without it. Or codes
   * [M, K] with one scale in all or one per row (int8 weights only): these scales are used, whatever `input` says
   * @param out - where to write y, M * N values; it may share memory with x and the residual. Default: a new array
   * @returns y: `out` where given
   * @throws QgemmError ARGUMENT, DTYPE, SHAPE, DETACHED for malformed arguments, RANGE for non-finite x under
   * `nonFinite: 'error'`, DISPOSED, OUT_OF_MEMORY; `out` is then untouched
   */
  forward(x: Float32Array | QuantizedInput, out?: OutputArray<D>, options?: ForwardOptions): OutputArray<D> {
    Linear.#check('the receiver', this);
    if (options === undefined && ArrayBuffer.isView(x)) {
      const m = countRows(x, this.#checkOut('out', out), this.#n, this.#k);
      const y = this.#resultFor('out', out, m);
      native.linearForward(this.#native, x, m, y);
      return y as OutputArray<D>;
    }
    const { residual } = checkOptions<ForwardOptions>('options', options, ['residual']);
    const { data, scales, zeroPoints, m } = this.#read(x, out);
    const y = this.#resultFor('out', out, m);
    native.linearForwardAll([this.#native], data, scales, zeroPoints, m, [y], this.#residual(residual, m));
    return y as OutputArray<D>;
  }

  /**
   * Multiplies on the library's own threads. x and the residual are read before this returns; what happens to them
   * afterwards (even being transferred to another thread) does not matter.
   *
   * @param x - as for {@link Linear.forward}
   * @returns y. Rejects, and never throws, with what forward() throws, and with QUEUE_FULL while 1024 operations of this
   * thread are outstanding, and DETACHED when `out` was detached meanwhile
   */
  async forwardAsync(x: Float32Array | QuantizedInput, options?: ForwardAsyncOptions<D>): Promise<OutputArray<D>> {
    Linear.#check('the receiver', this);
    const given = checkOptions<ForwardAsyncOptions<D>>('options', options, ['residual', 'out', 'signal']);
    const { out, signal } = given;
    const { data, scales, zeroPoints, m } = this.#read(x, out);
    this.#checkLength('out', out, m);
    const residual = this.#residual(given.residual, m);
    checkSignal(signal);
    checkQueue();
    const y = allocateResult(m * this.#n, this.#type);
    return runAsync(
      (done) => native.linearForwardAllAsync([this.#native], data, scales, zeroPoints, m, [y], residual, done),
      () => handOver('out', out as ResultArray | undefined, y) as OutputArray<D>,
      signal,
    );
  }

  /**
   * Multiplies one input by several layers, quantizing it once (query, key and value of attention). The results are the
   * bits that separate calls of {@link Linear.forward} give.
   *
   * @param linears - one layer or more, of one K, with the same kind of weights and the same treatment of inputs
   * @param outs - where to write each result; all or none
   * @throws QgemmError as forward, SHAPE where K differs, ARGUMENT where the treatment of inputs does. RANGE for
   * non-finite x if any layer has `nonFinite: 'error'`
   */
  static forwardAll<const L extends readonly AnyLinear[]>(
    linears: L,
    x: Float32Array | QuantizedInput,
    outs?: OutputsOf<L>,
  ): OutputsOf<L> {
    const { layers, input, given } = Linear.#readAll(linears, x, outs);
    const results = makeArray(layers.length, (i) => layers[i]!.#resultFor(`outs[${i}]`, given[i], input.m));
    const { data, scales, zeroPoints, m } = input;
    native.linearForwardAll(Linear.#handles(layers), data, scales, zeroPoints, m, results, null);
    return results as OutputsOf<L>;
  }

  /** {@link Linear.forwardAll} on the library's own threads, with the promises of {@link Linear.forwardAsync}. */
  static async forwardAllAsync<const L extends readonly AnyLinear[]>(
    linears: L,
    x: Float32Array | QuantizedInput,
    options?: ForwardAllAsyncOptions<L>,
  ): Promise<OutputsOf<L>> {
    const { outs, signal } = checkOptions<ForwardAllAsyncOptions<L>>('options', options, ['outs', 'signal']);
    const { layers, input, given } = Linear.#readAll(linears, x, outs);
    layers.forEach((layer, i) => layer.#checkLength(`outs[${i}]`, given[i], input.m));
    checkSignal(signal);
    checkQueue();
    const results = makeArray(layers.length, (i) => allocateResult(input.m * layers[i]!.#n, layers[i]!.#type));
    const { data, scales, zeroPoints, m } = input;
    return runAsync(
      (done) => native.linearForwardAllAsync(Linear.#handles(layers), data, scales, zeroPoints, m, results, null, done),
      () => results.map((result, i) => handOver(`outs[${i}]`, given[i], result)) as OutputsOf<L>,
      signal,
    );
  }

  /** Lets go of the weights; may be called again. Jobs in flight finish; forward and forwardAsync give DISPOSED. */
  dispose(): void {
    native.linearDispose(Linear.#check('the receiver', this).#native);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** x, and the class of `out`; the length of `out` is left to `#resultFor`. */
  #read(x: Float32Array | QuantizedInput, out: unknown): LinearInput {
    return readInput(x, this.#checkOut('out', out), this.#n, this.#k, this.#float32Weights);
  }

  #checkOut(name: string, out: unknown): ResultArray | undefined {
    return out === undefined ? undefined : checkTypedArray(name, out, this.#type);
  }

  #checkLength(name: string, out: ResultArray | undefined, m: number): void {
    const n = this.#n;
    if (out !== undefined && out.length !== m * n) checkLength(name, out, m * n, `M * N = ${m} * ${n}`);
  }

  #resultFor(name: string, out: ResultArray | undefined, m: number): ResultArray {
    this.#checkLength(name, out, m);
    return out ?? allocateResult(m * this.#n, this.#type);
  }

  #residual(residual: Float32Array | undefined, m: number): Float32Array | null {
    if (residual === undefined) return null;
    checkTypedArray('residual', residual, Float32Array);
    checkLength('residual', residual, m * this.#n, `M * N = ${m} * ${this.#n}`);
    return residual;
  }

  /**
   * Checks that layers can share an input, reads it, and checks the classes of `outs`. `layers` is an array of ours: no
   * method or getter of the caller's array sees the results that the addon writes.
   */
  static #readAll(
    linears: readonly AnyLinear[],
    x: Float32Array | QuantizedInput,
    outs: readonly unknown[] | undefined,
  ): { layers: Linear<OutputDType>[]; input: LinearInput; given: (ResultArray | undefined)[] } {
    if (!Array.isArray(linears)) fail('ERR_QGEMM_ARGUMENT', 'linears', 'an array of Linears', linears);
    if (outs !== undefined && !Array.isArray(outs)) fail('ERR_QGEMM_ARGUMENT', 'outs', 'an array', outs);
    const { length } = linears;
    if (outs !== undefined) checkLength('outs', outs, length, 'one per Linear');
    const layers = makeArray(length, (i) => Linear.#check(`linears[${i}]`, linears[i]));
    const given = makeArray(length, (i) => layers[i]!.#checkOut(`outs[${i}]`, outs?.[i]));
    const first = layers[0];
    if (first === undefined) fail('ERR_QGEMM_SHAPE', 'linears', 'an array of at least one Linear', linears);
    layers.forEach((layer, i) => {
      if (layer.#k !== first.#k) {
        throw new QgemmError('ERR_QGEMM_SHAPE', `linears[${i}] must have K = ${first.#k}, got ${layer.#k}`);
      }
      if (layer.#inputScheme !== first.#inputScheme) {
        throw new QgemmError(
          'ERR_QGEMM_ARGUMENT',
          `linears[${i}] must have weights of the same kind and quantize its input as linears[0] does, but does not`,
        );
      }
    });
    return { layers, input: readInput(x, given[0], first.#n, first.#k, first.#float32Weights), given };
  }

  static #handles(layers: Linear<OutputDType>[]): NativeLinear[] {
    return layers.map((layer) => layer.#native);
  }

  static #check(name: string, value: unknown): Linear<OutputDType> {
    if (typeof value !== 'object' || value === null || !(#native in value)) {
      fail('ERR_QGEMM_ARGUMENT', name, expectedInstance('Linear', value), value);
    }
    return value;
  }
}
