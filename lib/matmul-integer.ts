import { checkInteger, checkLength, checkOptions, checkTypedArray, classOf, fail } from './check.js';
import { QgemmError } from './errors.js';
import { native } from './native.js';
import { allocate } from './tensor.js';

/** Zero points of {@link matmulInteger}, one for each matrix. */
export interface MatmulIntegerOptions {
  /** In the range of a's type; default 0. */
  readonly aZeroPoint?: number | undefined;
  /** In the range of b's type; default 0. */
  readonly bZeroPoint?: number | undefined;
}

function checkCodes(name: string, value: unknown): Int8Array | Uint8Array {
  const type = classOf(value);
  if (type === 'Int8Array') return checkTypedArray(name, value, Int8Array);
  if (type === 'Uint8Array') return checkTypedArray(name, value, Uint8Array);
  const code = type === undefined ? 'ERR_QGEMM_ARGUMENT' : 'ERR_QGEMM_DTYPE';
  fail(code, name, 'an Int8Array or Uint8Array', value);
}

function checkZeroPoint(name: string, value: number | undefined, codes: Int8Array | Uint8Array): number {
  if (value === undefined) return 0;
  return classOf(codes) === 'Int8Array' ? checkInteger(name, value, -128, 127) : checkInteger(name, value, 0, 255);
}

function checkSize(name: string, rows: number, columns: number): number {
  const size = rows * columns;
  if (!Number.isSafeInteger(size)) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${name} must be less than 2^53, got ${rows} * ${columns}`);
  }
  return size;
}

/**
 * Multiplies two matrices of 8-bit codes: `c[i, j] = sum over p of (a[i, p] - aZeroPoint) * (b[p, j] - bZeroPoint)`,
 * modulo 2^32 (ONNX MatMulInteger with scalar zero points). Each of a and b is int8 or uint8.
 *
 * @param a - [m, k], row-major
 * @param b - [k, n], row-major
 * @param m - rows of a and c, >= 0
 * @param n - columns of b and c, >= 0
 * @param k - columns of a and rows of b, >= 0; with k = 0 the result is all zeros
 * @returns c, [m, n] row-major
 * @throws {@link QgemmError} ARGUMENT, SHAPE, DTYPE, RANGE, LIMIT, DETACHED, OUT_OF_MEMORY
 */
export function matmulInteger(
  a: Int8Array | Uint8Array,
  b: Int8Array | Uint8Array,
  m: number,
  n: number,
  k: number,
  options?: MatmulIntegerOptions,
): Int32Array {
  checkCodes('a', a);
  checkCodes('b', b);
  checkInteger('m', m, 0);
  checkInteger('n', n, 0);
  checkInteger('k', k, 0);
  checkLength('a', a, checkSize('m * k', m, k), `m * k = ${m} * ${k}`);
  checkLength('b', b, checkSize('k * n', k, n), `k * n = ${k} * ${n}`);
  const o = checkOptions<MatmulIntegerOptions>('options', options, ['aZeroPoint', 'bZeroPoint']);
  const aZeroPoint = checkZeroPoint('options.aZeroPoint', o.aZeroPoint, a);
  const bZeroPoint = checkZeroPoint('options.bZeroPoint', o.bZeroPoint, b);
  const out = allocate(Int32Array, checkSize('m * n', m, n));
  native.matmulInteger(a, b, m, n, k, aZeroPoint, bZeroPoint, out);
  return out;
}
