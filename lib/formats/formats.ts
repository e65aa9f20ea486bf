import { openArchive } from './archive.js';
import type { FileSource } from './file.js';
import { isFlax, openFlax } from './flax/reader.js';
import { openGguf } from './gguf/reader.js';
import { isGguf } from './gguf/header.js';
import { LATER_GGUF_PART } from './gguf/split.js';
import type { JsonObject } from './json.js';
import { openNpy } from './numpy/npy.js';
import { isNpy } from './numpy/npy-header.js';
import { looksLikeOnnx, openOnnx } from './onnx/reader.js';
import { openTorchLegacy } from './pytorch/reader.js';
import { isTorchLegacy } from './pytorch/legacy.js';
import { looksLikeSafetensors } from './safetensors/header.js';
import { openSafetensors } from './safetensors/reader.js';
import { openSharded } from './safetensors/sharded.js';
import type { ModelSource } from './source.js';
import { openTfjs } from './tfjs/reader.js';
import { isZip } from './zip.js';

/** A kind of file that can be opened as a model. */
interface AnyFormat {
  /** For messages and help. */
  readonly name: string;
  /** Names by which a folder holds one; of those with a `*`, it must hold just one file. */
  readonly files?: readonly string[];
  /** Names that fit `files`, but are of no use alone. */
  readonly parts?: RegExp;
  /** A file of these names is opened though its content is not recognised: the reader says what is wrong with it. */
  readonly named?: RegExp;
}

/** Recognised by the first 16 bytes of a file. */
export interface BinaryFormat extends AnyFormat {
  recognises(start: Uint8Array): boolean;
  open(path: string, file: FileSource): ModelSource;
}

/** Recognised by a key of a JSON object. */
export interface JsonFormat extends AnyFormat {
  readonly key: string;
  open(path: string, file: FileSource, json: JsonObject): ModelSource;
}

const INDEX = { name: 'an index of several files', key: 'weight_map', open: openSharded } as const;

/**
 * Every kind of file that is read: one line each. No file is of two kinds. Of what a folder holds, the first line with a
 * name without `*` counts, then the first with a `*`.
 */
export const FORMATS: readonly (BinaryFormat | JsonFormat)[] = [
  { ...INDEX, files: ['model.safetensors.index.json', '*.safetensors.index.json'] },
  {
    name: 'a safetensors file',
    recognises: looksLikeSafetensors,
    open: openSafetensors,
    files: ['model.safetensors', '*.safetensors'],
    named: /\.safetensors$/,
  },
  { name: 'a GGUF file', recognises: isGguf, open: openGguf, files: ['*.gguf'], parts: LATER_GGUF_PART },
  { name: 'an ONNX model', recognises: looksLikeOnnx, open: openOnnx, files: ['*.onnx'] },
  { ...INDEX, files: ['pytorch_model.bin.index.json'] },
  { name: 'a PyTorch checkpoint', recognises: isZip, open: openArchive, files: ['pytorch_model.bin', '*.pt', '*.pth'] },
  { name: 'a PyTorch checkpoint', recognises: isTorchLegacy, open: openTorchLegacy },
  { name: 'a .npy or .npz file', recognises: isNpy, open: openNpy, files: ['*.npz'] },
  { ...INDEX, files: ['flax_model.msgpack.index.json'] },
  { name: 'a Flax checkpoint', recognises: isFlax, open: openFlax, files: ['flax_model.msgpack', '*.msgpack'] },
  { name: 'a TensorFlow.js model.json', key: 'modelTopology', open: openTfjs, files: ['model.json'] },
  { name: 'a TensorFlow.js model.json', key: 'weightsManifest', open: openTfjs },
];

/** The formats in words, for messages and help: `a safetensors file, ... or a TensorFlow.js model.json`. */
export function formatNames(): string {
  const names = [...new Set(FORMATS.map(({ name }) => name))];
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
