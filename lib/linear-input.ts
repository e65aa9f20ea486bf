import { checkLength, checkTypedArray, fail } from './check.js';
import { QgemmError, show } from './errors.js';
import { checkQuantizedTensor, type QuantizedDType } from './tensor.js';

/** Rows that are 8-bit codes already: a `QuantizedTensor` of shape [M, K], or the parts of one. */
export interface QuantizedInput {
  readonly data: Int8Array | Uint8Array;
  readonly shape: readonly number[];
  readonly dtype: QuantizedDType;
  /** One in all, or one per row. */
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
  /** null: one scale in all; 0: one per row. Default: as the number of scales says. */
  readonly axis?: number | null;
}

/** @internal What the addon takes: M rows of K float32 values, or of codes with their parameters. */
export interface LinearInput {
  readonly data: Float32Array | Int8Array | Uint8Array;
  readonly scales: Float32Array | null;
  readonly zeroPoints: Int32Array | null;
  readonly m: number;
}

/** @internal M for float32 rows. With K = 0 it comes from the length of `out`. Lengths are checked. */
export function countRows(x: Float32Array, out: { readonly length: number } | undefined, n: number, k: number): number {
  checkTypedArray('x', x, Float32Array);
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
  return length / k;
}

/** Whether x looks like a quantized tensor rather than like an array. */
const isQuantized = (x: unknown): boolean =>
  typeof x === 'object' && x !== null && !ArrayBuffer.isView(x) && !Array.isArray(x) && 'data' in x;

/** @internal Reads x of any kind. */
export function readInput(
  x: Float32Array | QuantizedInput,
  out: { readonly length: number } | undefined,
  n: number,
  k: number,
  float32Weights: boolean,
): LinearInput {
  if (!isQuantized(x)) {
    const data = x as Float32Array;
    return { data, scales: null, zeroPoints: null, m: countRows(data, out, n, k) };
  }
  if (float32Weights) fail('ERR_QGEMM_DTYPE', 'x', 'a Float32Array for float32 weights', x);
  const given = x as QuantizedInput;
  const axis = given.axis === undefined ? (given.scales?.length === 1 ? null : 0) : given.axis;
  const q = checkQuantizedTensor('x', { ...given, axis });
  const [m] = q.shape;
  if (q.shape.length !== 2 || m === undefined || q.shape[1] !== k) {
    throw new QgemmError('ERR_QGEMM_SHAPE', `x.shape must be [M, K = ${k}], got ${show(q.shape)}`);
  }
  if (q.groupSize !== undefined || (q.axis !== null && q.axis !== 0)) {
    const got = q.groupSize === undefined ? `axis ${String(q.axis)}` : `groups of ${q.groupSize}`;
    throw new QgemmError(
      'ERR_QGEMM_ARGUMENT',
      `x must have one scale in all (axis null) or one per row (axis 0), got ${got}`,
    );
  }
  return { data: q.data, scales: q.scales, zeroPoints: q.zeroPoints, m };
}
