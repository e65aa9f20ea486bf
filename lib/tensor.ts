import { checkAttached, checkInteger, checkLength, checkShape, checkTypedArray, fail } from './check.js';
import { QgemmError, show } from './errors.js';

/** Type of quantized codes: `int8` holds -128..127, `uint8` holds 0..255. */
export type QuantizedDType = 'int8' | 'uint8';

/**
 * A tensor of 8-bit codes with what they mean: `x = (code - zeroPoint) * scale`.
 *
 * `scales` and `zeroPoints` have one value for the whole tensor (`axis` null), one per index of `axis`, or, with
 * `groupSize`, one per group of that many neighbours along the last axis (`axis` is then the last one).
 */
export interface QuantizedTensor {
  readonly data: Int8Array | Uint8Array;
  readonly shape: readonly number[];
  readonly dtype: QuantizedDType;
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
  readonly axis: number | null;
  readonly groupSize?: number;
}

/** What a scale and zero point belong to. `per-row` is a row of the last axis, as activations are quantized. */
export type Granularity = 'per-tensor' | 'per-channel' | 'per-group' | 'per-row';

/** A shape folded to [outer, axis, inner], row-major: one scale per index of `axis`. */
export interface Slab {
  readonly outer: number;
  readonly axis: number;
  readonly inner: number;
}

/** Lowest and highest code of a dtype. */
export function codeRange(dtype: QuantizedDType): { readonly lowest: number; readonly highest: number } {
  return dtype === 'int8' ? { lowest: -128, highest: 127 } : { lowest: 0, highest: 255 };
}

export function checkDType(name: string, value: unknown): QuantizedDType {
  if (typeof value !== 'string') fail('ERR_QGEMM_ARGUMENT', name, "'int8' or 'uint8'", value);
  if (value !== 'int8' && value !== 'uint8') fail('ERR_QGEMM_DTYPE', name, "'int8' or 'uint8'", value);
  return value;
}

const product = (dims: readonly number[]): number => dims.reduce((size, dim) => size * dim, 1);

/** Folds a checked shape. `axis` null is the whole tensor; `groupSize` counts elements of the last axis. */
export function foldShape(shape: readonly number[], axis: number | null, groupSize?: number): Slab {
  if (groupSize !== undefined) return { outer: 1, axis: product(shape) / groupSize, inner: groupSize };
  if (axis === null) return { outer: 1, axis: 1, inner: product(shape) };
  return { outer: product(shape.slice(0, axis)), axis: shape[axis]!, inner: product(shape.slice(axis + 1)) };
}

/** Checks that `axis` is an axis of the shape, counted from the front: negative ones are refused. */
export function checkAxis(name: string, axis: unknown, shape: readonly number[]): number {
  if (shape.length === 0) {
    throw new QgemmError(
      'ERR_QGEMM_SHAPE',
      `${name} must be an axis of the shape, but the shape ${show(shape)} has none`,
    );
  }
  return checkInteger(name, axis, 0, shape.length - 1);
}

/** Checks that groups of `groupSize` elements divide the last axis. */
export function checkGroupSize(name: string, groupSize: unknown, shape: readonly number[]): number {
  const size = checkInteger(name, groupSize, 1);
  const last = shape.at(-1);
  if (last === undefined || last % size !== 0) {
    const got = last === undefined ? 'a shape with no axes' : `${size} for an axis of ${last}`;
    throw new QgemmError('ERR_QGEMM_SHAPE', `${name} must divide the last axis of the shape, got ${got}`);
  }
  return size;
}

/** Numbers in any of the forms in which parameters come: an array or a typed array. */
export type NumberList = readonly number[] | Float32Array | Float64Array | Int32Array | Int8Array | Uint8Array;

// Names of elements are made for wrong ones only: there may be millions of right ones.
function numbers(name: string, value: unknown, length: number): ArrayLike<number> {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    if (value.byteLength === 0) checkAttached(name, value);
  } else if (!Array.isArray(value)) {
    fail('ERR_QGEMM_ARGUMENT', name, 'an array of numbers', value);
  }
  const list = value as ArrayLike<number>;
  checkLength(name, list, length, 'one per channel');
  for (let i = 0; i < length; i++) {
    if (typeof list[i] !== 'number') fail('ERR_QGEMM_ARGUMENT', `${name}[${i}]`, 'a number', list[i]);
  }
  return list;
}

/** Checks one scale: finite and > 0, also once rounded to float32. Returns the float32 value. */
export function checkScale(name: string, value: unknown): number {
  if (typeof value !== 'number') fail('ERR_QGEMM_ARGUMENT', name, 'a number', value);
  const scale = Math.fround(value);
  if (!(scale > 0 && scale < Infinity)) fail('ERR_QGEMM_RANGE', name, 'finite and > 0 in float32', value);
  return scale;
}

/** Copies `length` scales into float32, checking each. */
export function checkScales(name: string, value: unknown, length: number): Float32Array {
  const list = numbers(name, value, length);
  const scales = Float32Array.from(list);
  const wrong = scales.findIndex((scale) => !(scale > 0 && scale < Infinity));
  if (wrong >= 0) checkScale(`${name}[${wrong}]`, list[wrong]);
  return scales;
}

/** Copies `length` zero points, each checked to be a code of the dtype. */
export function checkZeroPoints(name: string, value: unknown, length: number, dtype: QuantizedDType): Int32Array {
  const list = numbers(name, value, length);
  const { lowest, highest } = codeRange(dtype);
  const zeroPoints = Int32Array.from(list);
  const wrong = zeroPoints.findIndex((zero, i) => zero !== list[i] || zero < lowest || zero > highest);
  if (wrong >= 0) checkInteger(`${name}[${wrong}]`, list[wrong], lowest, highest);
  return zeroPoints;
}

/** Checks every part of a quantized tensor against the others, and that its buffers are attached. */
export function checkQuantizedTensor(name: string, value: unknown): QuantizedTensor {
  if (typeof value !== 'object' || value === null) fail('ERR_QGEMM_ARGUMENT', name, 'a QuantizedTensor', value);
  const q = value as QuantizedTensor;
  const dtype = checkDType(`${name}.dtype`, q.dtype);
  const data =
    dtype === 'int8'
      ? checkTypedArray(`${name}.data`, q.data, Int8Array)
      : checkTypedArray(`${name}.data`, q.data, Uint8Array);
  const { shape, size } = checkShape(`${name}.shape`, q.shape);
  checkLength(`${name}.data`, data, size, 'the product of its shape');
  const axis = q.axis === null ? null : checkAxis(`${name}.axis`, q.axis, shape);
  const groupSize = q.groupSize === undefined ? undefined : checkGroupSize(`${name}.groupSize`, q.groupSize, shape);
  const channels = foldShape(shape, axis, groupSize).axis;
  const scales = checkScales(`${name}.scales`, q.scales, channels);
  const zeroPoints = checkZeroPoints(`${name}.zeroPoints`, q.zeroPoints, channels, dtype);
  return { data, shape, dtype, scales, zeroPoints, axis, ...(groupSize === undefined ? {} : { groupSize }) };
}

/** A new typed array, or OUT_OF_MEMORY. */
export function allocate<T>(type: { new (length: number): T; readonly name: string }, length: number): T {
  try {
    return new type(length);
  } catch (cause) {
    throw new QgemmError('ERR_QGEMM_OUT_OF_MEMORY', `a ${type.name} of ${length} elements cannot be allocated`, {
      cause,
    });
  }
}
