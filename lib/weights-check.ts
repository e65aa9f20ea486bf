import { checkShape, fail } from './check.js';
import { QgemmError } from './errors.js';
import { maxK } from './schemes.js';
import { checkQuantizedTensor, type QuantizedTensor } from './tensor.js';

/** @internal Throws LIMIT when int32 sums over K could overflow. */
export function checkDepth(k: number, symmetric: boolean): void {
  const limit = maxK('int8', symmetric);
  if (k > limit) {
    const kind = symmetric ? 'symmetric' : 'asymmetric';
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `K must be at most ${limit} for ${kind} int8 weights (int32 sums), got ${k}`,
    );
  }
}

/** @internal Checks a shape [N, K]. */
export function checkWeightShape(name: string, value: unknown): { n: number; k: number; size: number } {
  const { shape, size } = checkShape(name, value);
  const [n, k] = shape;
  if (n === undefined || k === undefined || shape.length !== 2) {
    fail('ERR_QGEMM_SHAPE', name, '[N, K], two dimensions', value);
  }
  return { n, k, size };
}

/** Codes of a weight matrix with one scale in all or one per row; `zeroPoints` is null when there is nothing to subtract. */
export interface QuantizedWeights {
  readonly data: Int8Array | Uint8Array;
  readonly n: number;
  readonly k: number;
  readonly perChannel: boolean;
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array | null;
}

/** @internal Checks that a quantized tensor can serve as weights, and takes from it what packing needs. */
export function readQuantizedWeights(q: QuantizedTensor): QuantizedWeights {
  const { data, shape, dtype, scales, zeroPoints, axis, groupSize } = checkQuantizedTensor('q', q);
  const { n, k } = checkWeightShape('q.shape', shape);
  if ((axis !== null && axis !== 0) || groupSize !== undefined) {
    const given = groupSize === undefined ? `axis ${String(axis)}` : `groups of ${String(groupSize)}`;
    throw new QgemmError(
      'ERR_QGEMM_ARGUMENT',
      `q must have one scale in all (axis null) or one per row of [N, K] (axis 0) to be packed as weights, got ${given}`,
    );
  }
  const zero = dtype === 'int8' ? 0 : 128;
  const symmetric = zeroPoints.every((point) => point === zero);
  checkDepth(k, symmetric);
  return { data, n, k, perChannel: axis === 0, scales, zeroPoints: symmetric ? null : zeroPoints };
}
