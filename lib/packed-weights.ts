import { randomBytes } from 'node:crypto';
import { checkOneOf, checkOptions, checkTypedArray, expectedInstance, fail } from './check.js';
import { QgemmError } from './errors.js';
import { native } from './native.js';
import type { NativeWeights, NativeWeightsInfo } from './native-types.js';
import {
  ACTIVATION_RANGES,
  GRANULARITIES,
  SCHEMES,
  type ActivationRange,
  type WeightGranularity,
  type Scheme,
} from './schemes.js';
import type { QuantizedTensor } from './tensor.js';
import { checkDepth, checkWeightShape, readQuantizedWeights } from './weights-check.js';

/** Options of {@link PackedWeights.fromFloat32}. */
export interface PackOptions {
  /** How the weights are stored. Default `'int8'`. */
  scheme?: Scheme;
  /** One scale per row of W (output channel), or one in all. Default `'per-channel'`. */
  granularity?: WeightGranularity;
  /** Symmetric codes in [-127, 127], or codes with a zero point. Default `true`. */
  symmetric?: boolean;
  /** How activations are quantized when these weights are multiplied by. Default `'asymmetric'`. */
  activations?: ActivationRange;
  /** What NaN and infinities in the weights do: `'clip'` stores the nearest code (NaN: the zero point), `'error'` throws. */
  nonFinite?: 'clip' | 'error';
}

/**
 * What other threads of this process attach to. Plain data: it may be posted to a Worker. It holds nothing alive.
 */
export interface WeightsHandle {
  readonly qgemm: 'weights';
  readonly token: string;
}

/** @internal A PackedWeights that owns `handle`. */
export let wrapWeights: (handle: NativeWeights) => PackedWeights;

/** @internal What is inside a PackedWeights. Throws ARGUMENT for anything else, DISPOSED after dispose(). */
export let liveWeights: (name: string, value: unknown) => { handle: NativeWeights; info: NativeWeightsInfo };

/**
 * Weights W [N, K] of a linear layer in the layout that all kernels read. Immutable. The memory is native; it is freed by
 * {@link PackedWeights.dispose} (or by garbage collection) once no `Linear` and no job in flight uses it any more.
 */
export class PackedWeights {
  #native: NativeWeights;
  #info: NativeWeightsInfo;
  #disposed = false;
  #handle: WeightsHandle | undefined;

  private constructor(handle: NativeWeights) {
    this.#native = handle;
    this.#info = native.weightsInfo(handle);
  }

  static {
    wrapWeights = (handle): PackedWeights => new PackedWeights(handle);
    liveWeights = (name, value): { handle: NativeWeights; info: NativeWeightsInfo } => {
      const weights = PackedWeights.#check(name, value);
      if (weights.#disposed) {
        throw new QgemmError('ERR_QGEMM_DISPOSED', `${name} was disposed of and can no longer be used`);
      }
      return { handle: weights.#native, info: weights.#info };
    };
  }

  static #check(name: string, value: unknown): PackedWeights {
    if (typeof value !== 'object' || value === null || !(#native in value)) {
      fail('ERR_QGEMM_ARGUMENT', name, expectedInstance('PackedWeights', value), value);
    }
    return value;
  }

  /**
   * Packs codes that exist already; they are kept exactly.
   *
   * @param q - int8 or uint8, shape [N, K], one scale in all or one per row (`axis` 0)
   * @param options - `activations`: see {@link PackOptions.activations}
   * @throws QgemmError ARGUMENT, DTYPE, SHAPE, RANGE, DETACHED for a malformed tensor; LIMIT for K > 65,793 (33,025 with
   * zero points): there an int32 sum could overflow
   */
  static from(q: QuantizedTensor, options?: { activations?: ActivationRange }): PackedWeights {
    const { activations = 'asymmetric' } = checkOptions<{ activations: ActivationRange }>('options', options, [
      'activations',
    ]);
    const range = ACTIVATION_RANGES.indexOf(checkOneOf('activations', activations, ACTIVATION_RANGES));
    const w = readQuantizedWeights(q);
    const granularity = w.perChannel ? 0 : 1;
    return wrapWeights(native.packInt8(w.data, w.n, w.k, false, w.scales, w.zeroPoints, granularity, range));
  }

  /**
   * Quantizes and packs float32 weights (`scheme: 'float32'` only packs them).
   *
   * @param data - W, row-major: N * K values
   * @param shape - [N, K]: N output channels, K inputs
   * @throws QgemmError ARGUMENT, SHAPE, DTYPE, DETACHED for malformed arguments; RANGE for non-finite weights under
   * `nonFinite: 'error'`; LIMIT for K beyond what int32 sums hold (see {@link PackedWeights.from}); OUT_OF_MEMORY
   */
  static fromFloat32(data: Float32Array, shape: readonly [n: number, k: number], options?: PackOptions): PackedWeights {
    const known = ['scheme', 'granularity', 'symmetric', 'activations', 'nonFinite'] as const;
    const given = checkOptions<PackOptions>('options', options, known);
    const { scheme = 'int8', granularity = 'per-channel', symmetric = true } = given;
    const { activations = 'asymmetric', nonFinite = 'clip' } = given;
    checkOneOf('scheme', scheme, SCHEMES);
    if (typeof symmetric !== 'boolean') fail('ERR_QGEMM_ARGUMENT', 'symmetric', 'a boolean', symmetric);
    const { n, k } = checkWeightShape('shape', shape);
    if (scheme === 'int8') checkDepth(k, symmetric);
    checkTypedArray('data', data, Float32Array);
    if (data.length !== n * k) {
      throw new QgemmError('ERR_QGEMM_SHAPE', `data must have N * K = ${n} * ${k} elements, got ${data.length}`);
    }
    return wrapWeights(
      native.packFloat32(
        data,
        n,
        k,
        false,
        SCHEMES.indexOf(scheme),
        GRANULARITIES.indexOf(checkOneOf('granularity', granularity, GRANULARITIES)),
        symmetric,
        ACTIVATION_RANGES.indexOf(checkOneOf('activations', activations, ACTIVATION_RANGES)),
        checkOneOf('nonFinite', nonFinite, ['clip', 'error']) === 'error',
      ),
    );
  }

  /**
   * The weights that another thread of this process (or this one) gave out as {@link PackedWeights.handle}: the same
   * memory, held by one more owner.
   *
   * @throws QgemmError ARGUMENT when `handle` is not such a handle, DISPOSED when nobody holds the weights any more
   */
  static attach(handle: WeightsHandle): PackedWeights {
    const given = handle as Partial<WeightsHandle> | null | undefined;
    const token = typeof given === 'object' && given?.qgemm === 'weights' ? given.token : undefined;
    if (typeof token !== 'string' || !/^[0-9a-f]{32}$/.test(token)) {
      fail('ERR_QGEMM_ARGUMENT', 'handle', 'the handle of a PackedWeights', handle);
    }
    const weights = native.weightsAttach(token);
    if (weights === undefined) {
      throw new QgemmError(
        'ERR_QGEMM_DISPOSED',
        'the weights of this handle are gone: nobody in this process holds them (or another copy of qgemm in it does)',
      );
    }
    return wrapWeights(weights);
  }

  /** Output channels: rows of W. */
  get n(): number {
    return liveWeights('PackedWeights', this).info.n;
  }

  /** Inputs: columns of W. */
  get k(): number {
    return liveWeights('PackedWeights', this).info.k;
  }

  /** How the weights are stored. */
  get dtype(): Scheme {
    return SCHEMES[liveWeights('PackedWeights', this).info.scheme]!;
  }

  /** Bytes of the packed arrays. */
  get byteLength(): number {
    return liveWeights('PackedWeights', this).info.byteLength;
  }

  /** A token to share these weights with other threads of this process, without a copy. */
  get handle(): WeightsHandle {
    const { handle } = liveWeights('PackedWeights', this);
    if (this.#handle === undefined) {
      const token = randomBytes(16).toString('hex');
      native.weightsRegister(handle, token);
      this.#handle = Object.freeze({ qgemm: 'weights', token });
    }
    return this.#handle;
  }

  /**
   * Lets go of the weights; may be called again. Layers made from them and jobs in flight keep them until they are done;
   * everything else on this object throws DISPOSED from now on.
   */
  dispose(): void {
    const weights = PackedWeights.#check('PackedWeights', this);
    weights.#disposed = true;
    native.weightsDispose(weights.#native);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
