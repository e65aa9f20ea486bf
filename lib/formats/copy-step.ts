import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { FileSource, readBytes } from './file.js';
import { CHUNK_BYTES, MAX_COMPANION_BYTES } from './limits.js';
import type { SourceTensor } from './source.js';
import type { OutputStep } from './writer.js';

/** Writes a tensor as it is, in pieces. */
export function copyStep(tensor: SourceTensor): OutputStep {
  return {
    name: tensor.name,
    byteLength: tensor.byteLength,
    tensors: [tensor],
    async write(sink): Promise<void> {
      const buffer = new Uint8Array(Math.min(CHUNK_BYTES, tensor.byteLength));
      for (let position = 0; position < tensor.byteLength; position += CHUNK_BYTES) {
        const piece = buffer.subarray(0, Math.min(CHUNK_BYTES, tensor.byteLength - position));
        tensor.readInto(piece, position);
        await sink.write(piece);
      }
    },
  };
}

/** Writes a small file as it is; undefined for what is no regular file or too large to belong to a model's settings. */
export function copyFileStep(path: string): OutputStep | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || !stats.isFile() || stats.size > MAX_COMPANION_BYTES) return undefined;
  const file = new FileSource(path);
  file.release();
  return {
    name: basename(path),
    byteLength: file.size,
    tensors: [],
    async write(sink): Promise<void> {
      try {
        for (let position = 0; position < file.size; position += CHUNK_BYTES) {
          await sink.write(readBytes(file, position, Math.min(CHUNK_BYTES, file.size - position)));
        }
      } finally {
        file.release();
      }
    },
  };
}
