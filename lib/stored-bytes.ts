import type { ModelSource, SourceTensor } from './formats/source.js';

/** Bytes of a tensor in its file. */
export function storedBytes({ stored, byteLength }: SourceTensor): number {
  return stored?.byteLength ?? byteLength;
}

/** Bytes of all tensors of a source in its files. */
export function sourceBytes(source: ModelSource): number {
  let bytes = 0;
  for (const tensor of source.tensors.values()) bytes += storedBytes(tensor);
  return bytes;
}
