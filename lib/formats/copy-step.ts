import { CHUNK_BYTES } from './limits.js';
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
