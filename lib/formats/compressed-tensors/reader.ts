import { QgemmError, show } from '../../errors.js';
import { dequantizedTensor } from '../dequantized.js';
import { isFloat } from '../dtypes.js';
import { readTensor, type MatmulWeight, type QuantizedCodes, type SourceTensor } from '../source.js';
import { readFloat32 } from '../values.js';

type Tensors = ReadonlyMap<string, SourceTensor>;

/** What the tensors of a file are once its quantized weights have been found. */
export interface CompressedTensors {
  /** Weights as their dequantized values; their scales and zero points are gone. */
  readonly tensors: Map<string, SourceTensor>;
  /** The codes of each weight, by its name. */
  readonly quantized: ReadonlyMap<string, QuantizedCodes>;
}

/**
 * Finds the weights that compressed-tensors ("int-quantized" and "naive-quantized" in 8 bits) has quantized: `X.weight` of
 * int8 [N, K] beside `X.weight_scale` of [N, 1], [N] or [1], and perhaps `X.weight_zero_point` of int8.
 *
 * @throws QgemmError FORMAT for codes that are packed into int32 or have a scale per group: those cannot be kept per channel
 */
export function findCompressed(source: Tensors): CompressedTensors | undefined {
  const tensors = new Map(source);
  const quantized = new Map<string, QuantizedCodes>();
  for (const [scaleName, scale] of source) {
    if (!scaleName.endsWith('.weight_scale')) continue;
    const name = scaleName.slice(0, -'_scale'.length);
    if (source.get(`${name}_packed`)?.dtype === 'I32') {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `tensor ${show(`${name}_packed`)} must be int8 codes to be read, but is packed into int32 ("pack-quantized")`,
      );
    }
    const codes = source.get(name);
    if (codes?.dtype !== 'I8' || codes.shape.length !== 2) continue;
    const zeroPoint = source.get(`${name}_zero_point`);
    const found = describe(codes, scale, zeroPoint);
    quantized.set(name, found);
    const byteLength = codes.byteLength + scale.byteLength + (zeroPoint?.byteLength ?? 0);
    tensors.set(name, { ...dequantizedTensor(name, found, 0), stored: { type: 'I8', byteLength } });
    tensors.delete(scaleName);
    if (zeroPoint !== undefined) tensors.delete(zeroPoint.name);
  }
  return quantized.size === 0 ? undefined : { tensors, quantized };
}

/** Adds the codes to weights that the rule for float weights found. PyTorch's Linear stores [N, K], whatever its bias. */
export function withCodes(
  weight: MatmulWeight | undefined,
  codes: QuantizedCodes | undefined,
): MatmulWeight | undefined {
  if (weight === undefined || codes === undefined) return weight;
  const [n, k] = codes.codes.shape as [number, number];
  const bias = weight.n === n && weight.bias !== undefined ? { bias: weight.bias } : {};
  return { n, k, layout: 'nk', ...bias, quantized: codes };
}

function describe(codes: SourceTensor, scale: SourceTensor, zeroPoint: SourceTensor | undefined): QuantizedCodes {
  const n = codes.shape[0]!;
  if (!isFloat(scale.dtype)) fail(scale, 'float', scale.dtype);
  const granularity = granularityOf(scale, n);
  if (zeroPoint !== undefined) {
    if (zeroPoint.dtype !== 'I8') fail(zeroPoint, 'I8', zeroPoint.dtype);
    if (granularityOf(zeroPoint, n) !== granularity) fail(zeroPoint, `like ${show(scale.name)}`, zeroPoint.shape);
  }
  return {
    codes,
    granularity,
    readScales: () => readFloat32(scale),
    readZeroPoints: () =>
      zeroPoint === undefined ? null : Int32Array.from(new Int8Array(readTensor(zeroPoint).buffer)),
  };
}

function granularityOf(tensor: SourceTensor, n: number): 'per-channel' | 'per-tensor' {
  const { shape } = tensor;
  if (shape.length <= 2 && shape[0] === n && (shape[1] ?? 1) === 1) return 'per-channel';
  if (shape.every((dim) => dim === 1) && shape.length <= 2) return 'per-tensor';
  return fail(tensor, `one value for each of ${n} rows, or one in all`, shape);
}

function fail({ name }: SourceTensor, expected: string, got: unknown): never {
  throw new QgemmError('ERR_QGEMM_FORMAT', `tensor ${show(name)} must be ${expected}, got ${show(got)}`);
}
