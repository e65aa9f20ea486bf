import { checkInteger, checkLength, checkOptions, checkShape, checkTypedArray } from './check.js';
import {
  checkNonFinite,
  checkQuantizeRequest,
  chooseForRequest,
  throwNonFinite,
  type QuantizeOptions,
} from './choose-qparams.js';
import { show } from './errors.js';
import { native } from './native.js';
import { checkNumerics, divides, type Numerics } from './quantization-range.js';
import {
  allocate,
  checkAxis,
  checkDType,
  checkQuantizedTensor,
  checkScale,
  checkScales,
  checkZeroPoints,
  codeRange,
  foldShape,
  type NumberList,
  type QuantizedDType,
  type QuantizedTensor,
  type Slab,
} from './tensor.js';

/** Options where scale and zero point are given. */
export interface FixedQuantizeOptions {
  /** `onnx` divides by the scale (QuantizeLinear); all others multiply by its float32 reciprocal, as PyTorch does. */
  readonly numerics?: Numerics | undefined;
  readonly nonFinite?: 'clip' | 'error' | undefined;
}

interface Codes {
  readonly min: number;
  readonly max: number;
  readonly divide: boolean;
  readonly rejectNonFinite: boolean;
}

function makeCodes(
  x: Float32Array,
  slab: Slab,
  dtype: QuantizedDType,
  scales: Float32Array,
  zeroPoints: Int32Array,
  codes: Codes,
): Int8Array | Uint8Array {
  const { outer, axis, inner } = slab;
  const data = dtype === 'int8' ? allocate(Int8Array, x.length) : allocate(Uint8Array, x.length);
  const { min, max, divide, rejectNonFinite } = codes;
  throwNonFinite(
    x,
    native.quantize(x, outer, axis, inner, scales, zeroPoints, divide, min, max, rejectNonFinite, data),
  );
  return data;
}

function checkFixed(dtype: QuantizedDType, options: FixedQuantizeOptions | undefined): Codes {
  const o = checkOptions<FixedQuantizeOptions>('options', options, ['numerics', 'nonFinite']);
  const { lowest, highest } = codeRange(dtype);
  const divide = divides(checkNumerics(o.numerics));
  return { min: lowest, max: highest, divide, rejectNonFinite: checkNonFinite(o.nonFinite) };
}

/**
 * Quantizes a tensor with one scale and zero point: `clamp(rne(x * (1 / scale)) + zeroPoint)` to the range of the dtype,
 * in float32, halves to even (torch.quantize_per_tensor). The result has the shape [x.length].
 *
 * @param scale - finite and > 0 once rounded to float32
 * @param zeroPoint - a code of the dtype
 * @throws {@link QgemmError} ARGUMENT, DTYPE, RANGE, DETACHED, OUT_OF_MEMORY
 */
export function quantizePerTensor(
  x: Float32Array,
  scale: number,
  zeroPoint: number,
  dtype: QuantizedDType,
  options?: FixedQuantizeOptions,
): QuantizedTensor {
  checkTypedArray('x', x, Float32Array);
  checkDType('dtype', dtype);
  const scales = Float32Array.of(checkScale('scale', scale));
  const { lowest, highest } = codeRange(dtype);
  const zeroPoints = Int32Array.of(checkInteger('zeroPoint', zeroPoint, lowest, highest));
  const codes = checkFixed(dtype, options);
  const data = makeCodes(x, { outer: 1, axis: 1, inner: x.length }, dtype, scales, zeroPoints, codes);
  return { data, shape: [x.length], dtype, scales, zeroPoints, axis: null };
}

/**
 * Quantizes a tensor with one scale and zero point per index of `axis`, formula as {@link quantizePerTensor}
 * (torch.quantize_per_channel).
 *
 * @param axis - in [0, shape.length - 1]; negative axes are refused
 * @param scales - `shape[axis]` numbers, each finite and > 0 once rounded to float32
 * @param zeroPoints - `shape[axis]` codes of the dtype
 * @throws {@link QgemmError} ARGUMENT, SHAPE, DTYPE, RANGE, DETACHED, OUT_OF_MEMORY
 */
export function quantizePerChannel(
  x: Float32Array,
  shape: readonly number[],
  scales: NumberList,
  zeroPoints: NumberList,
  axis: number,
  dtype: QuantizedDType,
  options?: FixedQuantizeOptions,
): QuantizedTensor {
  checkTypedArray('x', x, Float32Array);
  const { shape: dims, size } = checkShape('shape', shape);
  checkLength('x', x, size, `the product of shape ${show(dims)}`);
  checkDType('dtype', dtype);
  const slab = foldShape(dims, checkAxis('axis', axis, dims));
  const ownScales = checkScales('scales', scales, slab.axis);
  const ownZeroPoints = checkZeroPoints('zeroPoints', zeroPoints, slab.axis, dtype);
  const codes = checkFixed(dtype, options);
  const data = makeCodes(x, slab, dtype, ownScales, ownZeroPoints, codes);
  return { data, shape: [...dims], dtype, scales: ownScales, zeroPoints: ownZeroPoints, axis };
}

/**
 * Chooses scales and zero points ({@link chooseQParams}, same options) and quantizes with them.
 *
 * @throws {@link QgemmError} as chooseQParams
 */
export function quantize(x: Float32Array, shape: readonly number[], options: QuantizeOptions): QuantizedTensor {
  const request = checkQuantizeRequest(x, shape, options);
  const { scales, zeroPoints } = chooseForRequest(request);
  const { slab, range, dtype, axis, groupSize } = request;
  const codes = { min: range.clampMin, max: range.clampMax, divide: range.divide, rejectNonFinite: false };
  const data = makeCodes(request.x, slab, dtype, scales, zeroPoints, codes);
  return {
    data,
    shape: request.shape,
    dtype,
    scales,
    zeroPoints,
    axis,
    ...(groupSize === undefined ? {} : { groupSize }),
  };
}

/**
 * The float32 values that codes stand for: `float(code - zeroPoint) * scale`.
 *
 * @throws {@link QgemmError} ARGUMENT, SHAPE, DTYPE, RANGE, DETACHED, OUT_OF_MEMORY
 */
export function dequantize(q: QuantizedTensor): Float32Array {
  const checked = checkQuantizedTensor('q', q);
  const { outer, axis, inner } = foldShape(checked.shape, checked.axis, checked.groupSize);
  const x = allocate(Float32Array, checked.data.length);
  native.dequantize(checked.data, outer, axis, inner, checked.scales, checked.zeroPoints, x);
  return x;
}
