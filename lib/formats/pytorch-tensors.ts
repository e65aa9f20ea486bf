import { QgemmError, show } from '../errors.js';
import { dequantizedTensor } from './dequantized.js';
import { dtypeBits, dtypeBytes, elementsOf } from './dtypes.js';
import type { ByteSource } from './file.js';
import type { NamedValues } from './pytorch-names.js';
import type { TorchLayout, TorchQuantizer, TorchTensor } from './pytorch-values.js';
import { readTensor, type QuantizedCodes, type SourceTensor } from './source.js';
import { stridedReader } from './strided.js';

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

/** torch keeps scales in float64 and computes with them in float32. */
function readParams(what: string, codes: SourceTensor, quantizer: TorchQuantizer, bytesOf: StorageBytes): Params {
  const read = ({ layout }: TorchTensor): ArrayBuffer => readTensor(plainTensor('', layout, bytesOf)).buffer;
  let params: Params;
  if ('axis' in quantizer) {
    const scales = read(quantizer.scales);
    const zeroPoints = read(quantizer.zeroPoints);
    params = {
      scales: new Float32Array(
        quantizer.scales.layout.type.dtype === 'F64' ? new Float64Array(scales) : new Float32Array(scales),
      ),
      zeroPoints:
        quantizer.zeroPoints.layout.type.dtype === 'I64'
          ? Int32Array.from(new BigInt64Array(zeroPoints), (value) =>
              Number(BigInt.asIntN(32, value) === value ? value : -1n),
            )
          : new Int32Array(zeroPoints),
    };
  } else {
    params = { scales: Float32Array.of(quantizer.scale), zeroPoints: Int32Array.of(quantizer.zeroPoint) };
  }
  const [min, max] = codes.dtype === 'I8' ? [-128, 127] : [0, 255];
  const scale = params.scales.find((value) => !(value > 0 && value < Infinity));
  const zeroPoint = params.zeroPoints.find((value) => value < min || value > max);
  if (scale !== undefined || zeroPoint !== undefined) {
    const problem = scale !== undefined ? `a scale of ${scale}` : `a zero point of ${zeroPoint}`;
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${what} must have finite scales > 0 and zero points in [${min}, ${max}], but has ${problem}`,
    );
  }
  return params;
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
