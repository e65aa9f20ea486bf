import { resolve } from 'node:path';
import { readBytes, type FileSource } from '../file.js';
import type { GgufHeader } from './header.js';
import { openGgufParts, type GgufPart } from './split.js';
import { GgufTensor } from './tensor.js';
import { ggufText } from './values.js';
import { safetensorsWeights } from '../safetensors/weights.js';
import type { MatmulWeight, ModelSource } from '../source.js';

/** What every metadata key of a GGUF source begins with, so that none is taken for one of ours. */
const METADATA_PREFIX = 'gguf.';

/**
 * A model in a GGUF file, or in several that it was split into. Names stay those of the file. Plain numbers keep their type; block formats are presented as the
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
  readonly #parts: readonly [GgufPart, ...GgufPart[]];

  constructor(path: string, parts: readonly [GgufPart, ...GgufPart[]]) {
    this.#parts = parts;
    this.path = path;
    this.files = parts.map(({ file }) => resolve(file.path));
    const tensors = new Map<string, GgufTensor>();
    for (const { header, bytes } of parts) {
      for (const [name, entry] of header.tensors) tensors.set(name, new GgufTensor(bytes, name, entry));
    }
    this.tensors = tensors;
    this.metadata = describe(parts[0].header);
    const { matmuls, asMatmul } = safetensorsWeights(tensors);
    this.matmuls = matmuls;
    this.asMatmul = asMatmul;
  }

  /** The keys of the (first) file in order, each with its name, type and value as they lie there. */
  readKeys(): Map<string, Uint8Array> {
    const { header, bytes } = this.#parts[0];
    const keys = [...header.keys];
    return new Map(keys.map(([key, { offset, byteLength }]) => [key, readBytes(bytes, offset, byteLength)]));
  }

  close(): void {
    for (const { file } of this.#parts) file.release();
  }
}

export function openGguf(path: string, file: FileSource): ModelSource {
  return new GgufModel(path, openGgufParts(file));
}

function describe(header: GgufHeader): Map<string, string> {
  const metadata = new Map<string, string>([[`${METADATA_PREFIX}version`, String(header.version)]]);
  for (const [key, { value }] of header.keys) {
    const text = ggufText(value);
    if (text !== undefined) metadata.set(METADATA_PREFIX + key, text);
  }
  return metadata;
}
