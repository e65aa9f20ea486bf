import { QgemmError, show } from '../../errors.js';
import { native } from '../../native.js';
import { dtypeBytes, elementsOf, type Dtype } from '../dtypes.js';
import type { ByteSource } from '../file.js';
import type { JsonObject, JsonValue } from '../json.js';
import { CHUNK_BYTES, MAX_RANK, MAX_TENSORS } from '../limits.js';
import type { SourceTensor } from '../source.js';

/** One entry of `weightsManifest[].weights`, as the file spells it. */
interface Weight {
  name: string;
  shape: number[];
  /** What is stored. */
  stored: Dtype;
  /** What it is presented as. */
  dtype: Dtype;
  /** Codes stand for `code * scale + min`. */
  affine?: { scale: number; min: number };
}

const DTYPES: ReadonlyMap<unknown, Dtype> = new Map<unknown, Dtype>([
  ['float32', 'F32'],
  ['int32', 'I32'],
  ['bool', 'BOOL'],
]);

/**
 * The tensors of one weight group, whose bytes follow each other without gaps. float32, int32 and bool weights are
 * presented as they are; float16 ones as F16; those quantized to uint8 or uint16 as the values TensorFlow.js makes of them.
 */
export function readWeightGroup(what: string, weights: readonly JsonValue[], bytes: ByteSource): SourceTensor[] {
  if (weights.length > MAX_TENSORS) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${what} must have at most ${MAX_TENSORS} weights, got ${weights.length}`);
  }
  const tensors: SourceTensor[] = [];
  let offset = 0;
  for (const value of weights) {
    const weight = readWeight(what, value);
    const length = dtypeBytes(weight.stored, elementsOf(weight.shape));
    const byteLength = dtypeBytes(weight.dtype, elementsOf(weight.shape));
    if (length === undefined || byteLength === undefined) {
      throw new QgemmError(
        'ERR_QGEMM_LIMIT',
        `weight ${show(weight.name)} of ${what} must have fewer than 2^50 elements, got ${show(weight.shape)}`,
      );
    }
    tensors.push(tensorOf(weight, byteLength, bytes, offset));
    offset += length;
  }
  if (offset !== bytes.size) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `the files of ${what} must have ${offset} bytes for its weights, but have ${bytes.size}`,
    );
  }
  return tensors;
}

function readWeight(group: string, value: JsonValue): Weight {
  const name = value instanceof Map ? value.get('name') : undefined;
  if (!(value instanceof Map) || typeof name !== 'string') {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${group} must list weights with names, got ${show(name ?? value)}`);
  }
  const what = `weight ${show(name)} of ${group}`;
  const shape = value.get('shape');
  if (!Array.isArray(shape) || !shape.every((dim) => Number.isSafeInteger(dim) && (dim as number) >= 0)) {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have a shape of integers >= 0, got ${show(shape)}`);
  }
  if (shape.length > MAX_RANK) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${what} must have at most ${MAX_RANK} dimensions, got ${shape.length}`);
  }
  const dtype = DTYPES.get(value.get('dtype'));
  if (dtype === undefined) {
    throw new QgemmError('ERR_QGEMM_DTYPE', `${what} must be float32, int32 or bool, got ${show(value.get('dtype'))}`);
  }
  const weight: Weight = { name, shape: shape as number[], stored: dtype, dtype };
  const quantization = value.get('quantization');
  return quantization === undefined || quantization === null ? weight : quantized(what, weight, quantization);
}

function quantized(what: string, weight: Weight, value: JsonValue): Weight {
  const quantization = value instanceof Map ? value : (new Map() as JsonObject);
  const dtype = quantization.get('dtype');
  if (dtype === 'float16' && weight.dtype === 'F32') return { ...weight, stored: 'F16', dtype: 'F16' };
  const stored = dtype === 'uint8' ? 'U8' : dtype === 'uint16' ? 'U16' : undefined;
  if (stored === undefined || weight.dtype === 'BOOL') {
    throw new QgemmError(
      'ERR_QGEMM_DTYPE',
      `${what} must be quantized to uint8, uint16 or (float32 only) float16, got ${show(dtype ?? value)}`,
    );
  }
  const scale = quantization.get('scale');
  const min = quantization.get('min');
  if (!Number.isFinite(scale) || !Number.isFinite(min)) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${what} must have a finite quantization scale and min, got ${show(scale)} and ${show(min)}`,
    );
  }
  return { ...weight, stored, affine: { scale: scale as number, min: min as number } };
}

function tensorOf(weight: Weight, byteLength: number, bytes: ByteSource, offset: number): SourceTensor {
  const { name, shape, dtype, stored, affine } = weight;
  const readInto =
    affine === undefined
      ? (target: Uint8Array, position: number) => bytes.readInto(target, offset + position)
      : affineReader(bytes, offset, stored === 'U8' ? 1 : 2, dtype, affine.scale, affine.min);
  return { name, dtype, shape, byteLength, readInto };
}

/** Reads codes piece by piece and hands out the 4-byte values that they stand for. */
function affineReader(
  bytes: ByteSource,
  offset: number,
  codeBytes: number,
  dtype: Dtype,
  scale: number,
  min: number,
): SourceTensor['readInto'] {
  return (target, position) => {
    const step = CHUNK_BYTES / 4;
    for (let done = 0; done < target.length / 4; done += step) {
      const count = Math.min(step, target.length / 4 - done);
      const codes = codeBytes === 1 ? new Uint8Array(count) : new Uint16Array(count);
      const view = new Uint8Array(codes.buffer);
      bytes.readInto(view, offset + (position / 4 + done) * codeBytes);
      const values = dtype === 'I32' ? new Int32Array(count) : new Float32Array(count);
      native.affineDequantize(codes, scale, min, values);
      target.set(new Uint8Array(values.buffer), done * 4);
    }
  };
}
