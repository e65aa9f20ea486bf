import { setImmediate } from 'node:timers/promises';
import { show } from './errors.js';
import { CHUNK_BYTES } from './formats/limits.js';
import type { PackedRecord } from './formats/packed/record.js';
import type { SourceTensor } from './formats/source.js';
import { readFloat32 } from './formats/values.js';

// Each says what is wrong with the copy of a tensor, or undefined.

export function recordProblem(tensor: SourceTensor, { source }: PackedRecord): string | undefined {
  const { dtype, shape } = source;
  if (dtype === tensor.dtype && shape.join() === tensor.shape.join()) return undefined;
  return `it was packed from ${dtype} ${show(shape)}, the original is ${tensor.dtype} ${show(tensor.shape)}`;
}

export function shapeProblem(tensor: SourceTensor, copy: SourceTensor): string | undefined {
  if (copy.shape.join() === tensor.shape.join()) return undefined;
  return `it has the shape ${show(copy.shape)} instead of ${show(tensor.shape)}`;
}

/** `copy` holds the bias as float32. */
export function biasProblem(tensor: SourceTensor, copy: SourceTensor): string | undefined {
  const problem = shapeProblem(tensor, copy);
  if (problem !== undefined) return problem;
  return sameBytes(bytesOf(readFloat32(tensor)), bytesOf(readFloat32(copy))) ? undefined : 'its values differ';
}

export async function keptProblem(tensor: SourceTensor, copy: SourceTensor): Promise<string | undefined> {
  if (plainDtype(copy) !== plainDtype(tensor) || plainShape(copy) !== plainShape(tensor)) {
    return `it is ${copy.dtype} ${show(copy.shape)} instead of ${tensor.dtype} ${show(tensor.shape)}`;
  }
  for (let position = 0; position < tensor.byteLength; position += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, tensor.byteLength - position);
    const [a, b] = [new Uint8Array(length), new Uint8Array(length)];
    tensor.readInto(a, position);
    copy.readInto(b, position);
    if (!sameBytes(a, b)) return 'its bytes differ';
    await setImmediate();
  }
  return undefined;
}

// GGUF, which has neither, holds bools as I8 and a scalar as a vector of one: the same bytes.
const plainDtype = ({ dtype }: SourceTensor): string => (dtype === 'BOOL' ? 'I8' : dtype);
const plainShape = ({ shape }: SourceTensor): string => (shape.length === 0 ? '1' : shape.join());

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
