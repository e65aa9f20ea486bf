import { isFloat } from '../dtypes.js';
import type { OnnxQuantization } from './operand.js';
import { readTensor, type MatmulWeight, type QuantizedCodes, type SourceTensor } from '../source.js';
import { readFloat32 } from '../values.js';

/**
 * The codes of a weight with one scale, or one for each column of the product. Undefined where the scales run along
 * another dimension, or anything is no tensor of the model: such codes cannot be kept as they are.
 */
export function quantizedCodes(
  codes: SourceTensor,
  { n, layout }: MatmulWeight,
  quantization: OnnxQuantization,
  tensors: ReadonlyMap<string, SourceTensor>,
): QuantizedCodes | undefined {
  const scale = tensors.get(quantization.scale.name);
  const zeroPoint = quantization.zeroPoint && tensors.get(quantization.zeroPoint.name);
  if (codes.dtype !== 'I8' && codes.dtype !== 'U8') return undefined;
  if (scale === undefined || !isFloat(scale.dtype)) return undefined;
  if (quantization.zeroPoint !== undefined && zeroPoint?.dtype !== codes.dtype) return undefined;

  const count = Math.max(countOf(scale), zeroPoint === undefined ? 1 : countOf(zeroPoint));
  for (const part of [scale, ...(zeroPoint === undefined ? [] : [zeroPoint])]) {
    if (countOf(part) !== 1 && countOf(part) !== n) return undefined;
  }
  const rank = codes.shape.length;
  const { axis } = quantization;
  const channels = layout === 'nk' ? 0 : 1;
  const matches = axis === 'output' || (axis < 0 ? axis + rank : axis) === channels;
  if (count !== 1 && !matches) return undefined;
  return {
    codes,
    granularity: count === 1 ? 'per-tensor' : 'per-channel',
    readScales: () => spread(readFloat32(scale), count),
    readZeroPoints: () => (zeroPoint === undefined ? null : readZeroPoints(zeroPoint, count)),
  };
}

function countOf({ shape }: SourceTensor): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** One for all where the other of scales and zero points has one for each channel. */
function spread<T extends Float32Array | Int32Array>(values: T, count: number): T {
  return values.length === count
    ? values
    : (new (values.constructor as new (length: number) => T)(count).fill(values[0]!) as T);
}

function readZeroPoints(tensor: SourceTensor, count: number): Int32Array | null {
  const bytes = readTensor(tensor);
  const values = spread(Int32Array.from(tensor.dtype === 'I8' ? new Int8Array(bytes.buffer) : bytes), count);
  return values.some((value) => value !== 0) ? values : null;
}
