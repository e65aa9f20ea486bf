import { checkInteger, checkLength, checkOptions, checkTypedArray, fail } from './check.js';
import { QgemmError } from './errors.js';
import { checkQueue, checkSignal, handOver, runAsync } from './forward-async.js';
import { native } from './native.js';
import { allocateResult, resultClasses } from './result-memory.js';
import { checkDepth } from './weights-check.js';

/** Sizes and options of {@link matmulQuantized}. */
export interface MatmulQuantizedOptions {
  /** Products, each of matrices of its own: batch times heads in attention. Default 1. */
  batch?: number;
  /** Rows of each a and of each result. */
  m: number;
  /** Columns of each b and of each result. */
  n: number;
  /** Columns of a, rows of b; at most 65,793. */
  k: number;
  /** b is [batch, N, K] instead of [batch, K, N]: keys, where a holds queries. Default false. */
  transposeB?: boolean;
  /** Multiplies the result: 1 / sqrt(K) for attention scores. Finite in float32; default 1. */
  scale?: number;
  /** Where to write the result, batch * M * N values; it may share memory with a and b. Default: a new array. */
  out?: Float32Array;
}

/** Sizes and options of {@link matmulQuantizedAsync}. */
export interface MatmulQuantizedAsyncOptions extends MatmulQuantizedOptions {
  /** Aborting it cancels the work; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

const names = ['batch', 'm', 'n', 'k', 'transposeB', 'scale', 'out'] as const;

interface Call {
  /** What the addon takes, in its order. */
  readonly args: readonly [Float32Array, Float32Array, number, number, number, number, boolean, number];
  readonly size: number;
  readonly out: Float32Array | undefined;
}

function checkScale(value: unknown): number {
  if (typeof value !== 'number') fail('ERR_QGEMM_ARGUMENT', 'options.scale', 'a number', value);
  if (!Number.isFinite(Math.fround(value))) fail('ERR_QGEMM_RANGE', 'options.scale', 'finite in float32', value);
  return value;
}

function checkMatrices(name: string, value: Float32Array, dims: readonly [number, number, number]): void {
  checkTypedArray(name, value, Float32Array);
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (!Number.isSafeInteger(size)) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${name} must have fewer than 2^53 elements, got ${dims.join(' * ')}`);
  }
  checkLength(name, value, size, dims.join(' * '));
}

function readCall(a: Float32Array, b: Float32Array, given: Partial<MatmulQuantizedOptions>): Call {
  const { transposeB = false, out, batch: products = 1, scale: factor = 1 } = given;
  const batch = checkInteger('options.batch', products, 0);
  const m = checkInteger('options.m', given.m, 0);
  const n = checkInteger('options.n', given.n, 0);
  const k = checkInteger('options.k', given.k, 0);
  if (typeof transposeB !== 'boolean') fail('ERR_QGEMM_ARGUMENT', 'options.transposeB', 'a boolean', transposeB);
  const scale = checkScale(factor);
  checkDepth(k, true);
  checkMatrices('a', a, [batch, m, k]);
  checkMatrices('b', b, transposeB ? [batch, n, k] : [batch, k, n]);
  const size = batch * m * n;
  if (!Number.isSafeInteger(size)) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `the result must have fewer than 2^53 elements, got ${batch} * ${m} * ${n}`,
    );
  }
  if (out !== undefined) checkMatrices('out', out, [batch, m, n]);
  return { args: [a, b, batch, m, n, k, transposeB, scale], size, out };
}

/**
 * Multiplies a batch of pairs of float32 matrices in int8: attention scores (queries by keys) and values (scores by
 * values). Rows of a are quantized to asymmetric uint8, columns of b to symmetric int8, each with a scale of its own; sums
 * are exact (docs/quantization.md). The same bytes on every CPU and with any number of threads.
 *
 * @param a - [batch, M, K], row-major
 * @param b - [batch, K, N], or [batch, N, K] with `transposeB`
 * @returns scale * a * b, [batch, M, N]: `out` where given
 * @throws {@link QgemmError} ARGUMENT, DTYPE, SHAPE, RANGE, DETACHED for malformed arguments; LIMIT for K > 65,793 and
 * sizes beyond 2^53; OUT_OF_MEMORY
 */
export function matmulQuantized(a: Float32Array, b: Float32Array, options: MatmulQuantizedOptions): Float32Array {
  const { args, size, out } = readCall(a, b, checkOptions<MatmulQuantizedOptions>('options', options, names));
  const result = out ?? allocateResult(size, resultClasses.float32);
  native.matmulQuantized(...args, result);
  return result;
}

/**
 * {@link matmulQuantized} on the library's own threads. a and b are copied before this returns; the promise behaves as that
 * of `Linear.forwardAsync`.
 */
export async function matmulQuantizedAsync(
  a: Float32Array,
  b: Float32Array,
  options: MatmulQuantizedAsyncOptions,
): Promise<Float32Array> {
  const given = checkOptions<MatmulQuantizedAsyncOptions>('options', options, [...names, 'signal']);
  const { args, size, out } = readCall(a, b, given);
  checkSignal(given.signal);
  checkQueue();
  const result: Float32Array = allocateResult(size, resultClasses.float32);
  return runAsync(
    (done) => native.matmulQuantizedAsync(...args, result, done),
    () => handOver('out', out, result),
    given.signal,
  );
}
