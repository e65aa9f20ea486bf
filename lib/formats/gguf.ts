import { resolve } from 'node:path';
import { native } from '../native.js';
import { elementsOf, type Dtype } from './dtypes.js';
import { readBytes, type ByteSource, type FileSource } from './file.js';
import { readGgufHeader, type GgufHeader, type GgufTensorEntry } from './gguf-header.js';
import type { GgufType } from './gguf-types.js';
import { ggufText } from './gguf-values.js';
import { CHUNK_BYTES } from './limits.js';
import { safetensorsWeights } from './safetensors-weights.js';
import type { ModelSource, SourceTensor } from './source.js';

/** What every metadata key of a GGUF source begins with, so that none is taken for one of ours. */
const METADATA_PREFIX = 'gguf.';

/**
 * A model in one GGUF file. Names stay those of the file. Plain numbers keep their type; block formats are presented as the
 * float32 values that ggml makes of them, decoded piece by piece. The metadata has every key whose value is short.
 */
export function openGguf(path: string, file: FileSource): ModelSource {
  const header = readGgufHeader(file);
  const tensors = new Map<string, SourceTensor>();
  for (const [name, entry] of header.tensors) tensors.set(name, new GgufTensor(file, name, entry));
  return {
    format: 'gguf',
    path,
    files: [resolve(file.path)],
    tensors,
    metadata: describe(header),
    ...safetensorsWeights(tensors),
    close: () => file.release(),
  };
}

/** A tensor of a validated GGUF file. */
export class GgufTensor implements SourceTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** How the file holds it, and how many bytes that takes. */
  readonly type: GgufType;
  readonly storedBytes: number;
  readonly #source: ByteSource;
  readonly #offset: number;

  constructor(source: ByteSource, name: string, { type, shape, offset, byteLength }: GgufTensorEntry) {
    this.name = name;
    this.dtype = type.plain ?? 'F32';
    this.shape = shape;
    this.byteLength = type.plain === undefined ? elementsOf(shape) * 4 : byteLength;
    this.type = type;
    this.storedBytes = byteLength;
    this.#source = source;
    this.#offset = offset;
  }

  /** Fills `target` with the bytes of the file from `position` of the tensor on. */
  readStored(target: Uint8Array, position: number): void {
    this.#source.readInto(target, this.#offset + position);
  }

  readInto(target: Uint8Array, position: number): void {
    if (this.type.plain !== undefined) return this.readStored(target, position);
    for (let done = 0; done < target.length; done += CHUNK_BYTES) {
      this.#decode(target.subarray(done, done + CHUNK_BYTES), (position + done) / 4);
    }
  }

  /** Decodes values from the `first`-th on. Only the blocks that hold them are read. */
  #decode(target: Uint8Array, first: number): void {
    const { name, blockElements, blockBytes } = this.type;
    const firstBlock = Math.floor(first / blockElements);
    const endBlock = Math.ceil((first + target.length / 4) / blockElements);
    const offset = this.#offset + firstBlock * blockBytes;
    const blocks = readBytes(this.#source, offset, (endBlock - firstBlock) * blockBytes);
    native.ggufDequantize(name, blocks, first - firstBlock * blockElements, target);
  }
}

function describe(header: GgufHeader): Map<string, string> {
  const metadata = new Map<string, string>([[`${METADATA_PREFIX}version`, String(header.version)]]);
  for (const [key, { value }] of header.keys) {
    const text = ggufText(value);
    if (text !== undefined) metadata.set(METADATA_PREFIX + key, text);
  }
  return metadata;
}
