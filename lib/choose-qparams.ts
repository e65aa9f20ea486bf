import { checkLength, checkOneOf, checkOptions, checkShape, checkTypedArray, fail } from './check.js';
import { QgemmError, show } from './errors.js';
import { native } from './native.js';
import { resolveCodeRange, type CodeRange, type CodeRangeOptions } from './quantization-range.js';
import {
  allocate,
  checkAxis,
  checkDType,
  checkGroupSize,
  foldShape,
  type Granularity,
  type QuantizedDType,
  type Slab,
} from './tensor.js';

/** Options of {@link chooseQParams} and {@link quantize}: the codes, and what shares a scale. */
export interface QuantizeOptions extends CodeRangeOptions {
  readonly dtype: QuantizedDType;
  /** Default: `per-group` where groupSize is given, `per-channel` where axis is, else `per-tensor`. */
  readonly granularity?: Granularity | undefined;
  /** The channel axis of `per-channel`, counted from the front. Default 0. */
  readonly axis?: number | undefined;
  /** Elements of one group of `per-group`, along the last axis, which it must divide. */
  readonly groupSize?: number | undefined;
  /** `clip` (default): +Inf gives the largest code, -Inf the smallest, NaN the zero point. `error` refuses them. */
  readonly nonFinite?: 'clip' | 'error' | undefined;
}

/** Scales (float32, > 0) and zero points, one pair per tensor, channel, group or row. */
export interface QParams {
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
}

const known: readonly (keyof QuantizeOptions)[] = [
  'dtype',
  'symmetric',
  'granularity',
  'axis',
  'groupSize',
  'numerics',
  'reduceRange',
  'qmin',
  'qmax',
  'eps',
  'nonFinite',
];
const granularities: readonly Granularity[] = ['per-tensor', 'per-channel', 'per-group', 'per-row'];

/** A checked call: the tensor, how it is folded, and which codes it is mapped to. */
export interface QuantizeRequest {
  readonly x: Float32Array;
  readonly shape: readonly number[];
  readonly dtype: QuantizedDType;
  readonly axis: number | null;
  readonly groupSize?: number;
  readonly slab: Slab;
  readonly range: CodeRange;
  readonly rejectNonFinite: boolean;
}

type Placement = { readonly axis: number | null; readonly groupSize?: number };

function resolvePlacement(shape: readonly number[], o: Partial<QuantizeOptions>): Placement {
  const inferred = o.groupSize !== undefined ? 'per-group' : o.axis !== undefined ? 'per-channel' : 'per-tensor';
  const granularity =
    o.granularity === undefined ? inferred : checkOneOf('options.granularity', o.granularity, granularities);
  if (o.axis !== undefined && granularity !== 'per-channel') {
    fail('ERR_QGEMM_ARGUMENT', 'options.axis', `absent with granularity '${granularity}'`, o.axis);
  }
  if (o.groupSize !== undefined && granularity !== 'per-group') {
    fail('ERR_QGEMM_ARGUMENT', 'options.groupSize', `absent with granularity '${granularity}'`, o.groupSize);
  }
  const last = shape.length - 1;
  switch (granularity) {
    case 'per-tensor':
      return { axis: null };
    case 'per-channel':
      return { axis: checkAxis('options.axis', o.axis === undefined ? 0 : o.axis, shape) };
    case 'per-group':
      return { axis: last, groupSize: checkGroupSize('options.groupSize', o.groupSize, shape) };
    case 'per-row':
      if (last < 0) {
        throw new QgemmError(
          'ERR_QGEMM_SHAPE',
          `shape must have an axis for granularity 'per-row', got ${show(shape)}`,
        );
      }
      // The rows of a matrix are its channels; of other tensors, groups as long as the last axis.
      return last === 1 ? { axis: 0 } : { axis: last, groupSize: Math.max(1, shape[last]!) };
  }
}

/** Whether NaN and infinities are refused. */
export function checkNonFinite(value: unknown): boolean {
  return value !== undefined && checkOneOf('options.nonFinite', value, ['clip', 'error']) === 'error';
}

/** Checks the arguments of chooseQParams and quantize. */
export function checkQuantizeRequest(x: unknown, shape: unknown, options: unknown): QuantizeRequest {
  const data = checkTypedArray('x', x, Float32Array);
  const { shape: dims, size } = checkShape('shape', shape);
  checkLength('x', data, size, `the product of shape ${show(dims)}`);
  if (options === undefined) fail('ERR_QGEMM_ARGUMENT', 'options', 'an object with a dtype', options);
  const o = checkOptions<QuantizeOptions>('options', options, known);
  const dtype = checkDType('options.dtype', o.dtype);
  const placement = resolvePlacement(dims, o);
  return {
    x: data,
    shape: [...dims],
    dtype,
    ...placement,
    slab: foldShape(dims, placement.axis, placement.groupSize),
    range: resolveCodeRange(dtype, o),
    rejectNonFinite: checkNonFinite(o.nonFinite),
  };
}

/** Throws for the first non-finite element, whose index the native core found; -1 means none. */
export function throwNonFinite(x: Float32Array, index: number): void {
  if (index >= 0) fail('ERR_QGEMM_RANGE', `x[${index}]`, "finite with nonFinite 'error'", x[index]);
}

/** The work of {@link chooseQParams} on checked arguments. */
export function chooseForRequest(request: QuantizeRequest): QParams {
  const { x, slab, range } = request;
  const scales = allocate(Float32Array, slab.axis);
  const zeroPoints = allocate(Int32Array, slab.axis);
  const { outer, axis, inner } = slab;
  throwNonFinite(x, native.chooseQParams(x, outer, axis, inner, range, request.rejectNonFinite, scales, zeroPoints));
  return { scales, zeroPoints };
}

/**
 * Chooses scales and zero points for a tensor from its smallest and largest finite values, 0 included.
 *
 * The default mode, `numerics: 'qgemm'`, in float32: symmetric `scale = max(amax / 127, eps)`, zero point in the middle;
 * asymmetric `scale = max(hi / 255 - lo / 255, eps)`, `zeroPoint = qmin + clamp(rne(-lo * (1 / scale)), 0, 255)`. The
 * other modes give what their originals give (docs/quantization.md has all formulas and the results for special values).
 *
 * @param x - row-major values; a view on a SharedArrayBuffer will do
 * @param shape - its dimensions; their product is `x.length`
 * @throws {@link QgemmError} ARGUMENT, SHAPE, DTYPE, RANGE (also for a non-finite value under `nonFinite: 'error'`),
 *   DETACHED, OUT_OF_MEMORY
 */
export function chooseQParams(x: Float32Array, shape: readonly number[], options: QuantizeOptions): QParams {
  return chooseForRequest(checkQuantizeRequest(x, shape, options));
}
