import { resolve } from 'node:path';
import { readBytes, type FileSource } from './file.js';
import { readGgufHeader, type GgufHeader } from './gguf-header.js';
import { GgufTensor } from './gguf-tensor.js';
import { ggufText } from './gguf-values.js';
import { safetensorsWeights } from './safetensors-weights.js';
import type { MatmulWeight, ModelSource } from './source.js';

/** What every metadata key of a GGUF source begins with, so that none is taken for one of ours. */
const METADATA_PREFIX = 'gguf.';

/**
 * A model in one GGUF file. Names stay those of the file. Plain numbers keep their type; block formats are presented as the
 * float32 values that ggml makes of them, decoded piece by piece. The metadata has every key whose value is short.
 */
export class GgufModel implements ModelSource {
  readonly format = 'gguf';
  readonly path: string;
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly matmuls: ReadonlyMap<string, MatmulWeight>;
  readonly asMatmul: (name: string) => MatmulWeight | undefined;
  readonly #file: FileSource;
  readonly #header: GgufHeader;

  constructor(path: string, file: FileSource) {
    this.#file = file;
    this.#header = readGgufHeader(file);
    this.path = path;
    this.files = [resolve(file.path)];
    const entries = [...this.#header.tensors];
    this.tensors = new Map(entries.map(([name, entry]) => [name, new GgufTensor(file, name, entry)]));
    this.metadata = describe(this.#header);
    const { matmuls, asMatmul } = safetensorsWeights(this.tensors);
    this.matmuls = matmuls;
    this.asMatmul = asMatmul;
  }

  /** The keys of the file in order, each with its name, type and value as they lie there. */
  readKeys(): Map<string, Uint8Array> {
    const keys = [...this.#header.keys];
    return new Map(keys.map(([key, { offset, byteLength }]) => [key, readBytes(this.#file, offset, byteLength)]));
  }

  close(): void {
    this.#file.release();
  }
}

export function openGguf(path: string, file: FileSource): ModelSource {
  return new GgufModel(path, file);
}

function describe(header: GgufHeader): Map<string, string> {
  const metadata = new Map<string, string>([[`${METADATA_PREFIX}version`, String(header.version)]]);
  for (const [key, { value }] of header.keys) {
    const text = ggufText(value);
    if (text !== undefined) metadata.set(METADATA_PREFIX + key, text);
  }
  return metadata;
}
