import type { ByteSource, FileSource } from '../file.js';
import type { TorchCodes } from '../pytorch/tensors.js';
import type { ModelSource, SourceTensor } from '../source.js';

/** What one of the files of a model holds, or all of them together. */
export interface Shard {
  readonly tensors: ReadonlyMap<string, SourceTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Codes of tensors that PyTorch has quantized. */
  readonly quantized?: ReadonlyMap<string, TorchCodes>;
}

/** A format that may lie in several files with an index of them. */
export interface ShardFormat {
  /** By the first 16 bytes of a file. */
  recognises(start: Uint8Array): boolean;
  read(source: ByteSource): Shard;
  /** `files` begins with the index, `all` has what the others hold. */
  model(path: string, files: readonly FileSource[], all: Required<Shard>): ModelSource;
}
