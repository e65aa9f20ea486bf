import { QgemmError, show } from '../../errors.js';
import { dequantizedTensor } from '../dequantized.js';
import { dtypeBits, dtypeBytes, elementsOf } from '../dtypes.js';
import type { ByteSource } from '../file.js';
import type { NamedValues } from './names.js';
import type { TorchLayout, TorchQuantizer, TorchTensor } from './values.js';
import { readTensor, type QuantizedCodes, type SourceTensor } from '../source.js';
import { stridedReader } from '../strided.js';

/** The bytes of a storage; throws FORMAT when the file has none or too few. */
export type StorageBytes = (layout: TorchLayout) => ByteSource;

/** How a quantized tensor keeps its codes; `axis` is that of its scales, undefined where it has one. */
export interface TorchCodes {
  readonly codes: QuantizedCodes;
  readonly axis: number | undefined;
}

export interface TorchTensors {
  readonly tensors: ReadonlyMap<string, SourceTensor>;
  readonly quantized: ReadonlyMap<string, TorchCodes>;
}

/** Named tensors of a checkpoint as a model's source has them. Quantized ones are presented as their float32 values. */
export function torchTensors(what: string, named: NamedValues['tensors'], bytesOf: StorageBytes): TorchTensors {
  const tensors = new Map<string, SourceTensor>();
  const quantized = new Map<string, TorchCodes>();
  for (const [name, tensor] of named) {
    const plain = plainTensor(name, tensor.layout, bytesOf);
    if (tensor.quantizer === undefined) {
      tensors.set(name, plain);
      continue;
    }
    const axis = 'axis' in tensor.quantizer ? tensor.quantizer.axis : undefined;
    const params = readParams(`tensor ${show(name)} of ${what}`, plain, tensor.quantizer, bytesOf);
    const codes = codesOf(plain, params, axis);
    tensors.set(name, dequantizedTensor(name, codes, axis ?? 0));
    quantized.set(name, { codes, axis });
  }
  return { tensors, quantized };
}

function plainTensor(name: string, layout: TorchLayout, bytesOf: StorageBytes): SourceTensor {
  const { shape, strides, offset, type } = layout;
  const byteLength = dtypeBytes(type.dtype, elementsOf(shape))!;
  const source = bytesOf(layout);
  const readInto = stridedReader({ source, offset, elementBytes: dtypeBits(type.dtype) / 8, shape, strides });
  return { name, dtype: type.dtype, shape, byteLength, readInto };
}

interface Params {
  scales: Float32Array;
  zeroPoints: Int32Array;
}

/** torch keeps the scales of channels in float64; weights are multiplied by them in float32. */
function readParams(what: string, codes: SourceTensor, quantizer: TorchQuantizer, bytesOf: StorageBytes): Params {
  const read = ({ layout }: TorchTensor): Float64Array => readNumbers(plainTensor('', layout, bytesOf));
  const [scales, zeroPoints] =
    'axis' in quantizer
      ? [Float32Array.from(read(quantizer.scales)), read(quantizer.zeroPoints)]
      : [Float32Array.of(quantizer.scale), Float64Array.of(quantizer.zeroPoint)];
  const [min, max] = codes.dtype === 'I8' ? [-128, 127] : [0, 255];
  const scale = scales.find((value) => !(value > 0 && value < Infinity));
  // They may be kept as floats, but must be integers.
  const zeroPoint = zeroPoints.find((value) => !(Number.isInteger(value) && value >= min && value <= max));
  if (scale !== undefined || zeroPoint !== undefined) {
    const problem = scale !== undefined ? `a scale of ${scale}` : `a zero point of ${zeroPoint}`;
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${what} must have finite scales > 0 and integers in [${min}, ${max}] as zero points, but has ${problem}`,
    );
  }
  return { scales, zeroPoints: Int32Array.from(zeroPoints) };
}

/** Values of a tensor of scales or zero points. */
function readNumbers(tensor: SourceTensor): Float64Array {
  const { buffer } = readTensor(tensor);
  switch (tensor.dtype) {
    case 'F64':
      return new Float64Array(buffer);
    case 'I32':
      return Float64Array.from(new Int32Array(buffer));
    case 'I64':
      return Float64Array.from(new BigInt64Array(buffer), Number);
    default:
      return Float64Array.from(new Float32Array(buffer));
  }
}

function codesOf(codes: SourceTensor, { scales, zeroPoints }: Params, axis: number | undefined): QuantizedCodes {
  const hasZeroPoints = zeroPoints.some((value) => value !== 0);
  return {
    codes,
    readScales: () => scales.slice(),
    readZeroPoints: () => (hasZeroPoints ? zeroPoints.slice() : null),
    granularity: axis === undefined ? 'per-tensor' : 'per-channel',
  };
}
