import { QgemmError, show } from '../errors.js';
import { native } from '../native.js';
import { elementsOf } from './dtypes.js';
import { CHUNK_BYTES, MAX_FLOAT32_ELEMENTS } from './limits.js';
import type { SourceTensor } from './source.js';

/** Allocates float32 values for a tensor; too many are an error of ours rather than V8's. */
export function allocateFloat32(name: string, elements: number): Float32Array<ArrayBuffer> {
  if (elements > MAX_FLOAT32_ELEMENTS) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `tensor ${show(name)} must have at most ${MAX_FLOAT32_ELEMENTS} elements to be used as float32, got ${elements}`,
    );
  }
  try {
    return new Float32Array(elements);
  } catch (cause) {
    throw new QgemmError(
      'ERR_QGEMM_OUT_OF_MEMORY',
      `tensor ${show(name)} needs ${elements * 4} bytes as float32, which cannot be allocated`,
      { cause },
    );
  }
}

/** Reads an F32, F16 or BF16 tensor as float32, exactly. `out` may be longer; the rest stays as it is. */
export function readFloat32(
  tensor: SourceTensor,
  out: Float32Array<ArrayBuffer> = allocateFloat32(tensor.name, elementsOf(tensor.shape)),
): Float32Array<ArrayBuffer> {
  if (tensor.dtype === 'F32') {
    tensor.readInto(new Uint8Array(out.buffer, out.byteOffset, tensor.byteLength), 0);
    return out;
  }
  for (let position = 0; position < tensor.byteLength; position += CHUNK_BYTES) {
    const bytes = new Uint8Array(Math.min(CHUNK_BYTES, tensor.byteLength - position));
    tensor.readInto(bytes, position);
    native.toFloat32(bytes, tensor.dtype, out.subarray(position / 2, (position + bytes.length) / 2));
  }
  return out;
}

/** Reads `count` values of an F32, F16 or BF16 tensor from the `first`-th on, a multiple of 8, as float32. */
export function readFloat32Range(tensor: SourceTensor, first: number, count: number): Float32Array<ArrayBuffer> {
  const { name, dtype } = tensor;
  const size = dtype === 'F32' ? 4 : 2;
  const byteLength = count * size;
  const readInto = (target: Uint8Array, position: number): void => tensor.readInto(target, first * size + position);
  return readFloat32({ name, dtype, shape: [count], byteLength, readInto });
}
