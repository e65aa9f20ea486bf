import { resolve } from 'node:path';
import type { FileSource } from './file.js';
import { readSafetensorsHeader, safetensorsTensor } from './safetensors.js';
import { safetensorsWeights } from './safetensors-weights.js';
import type { ModelSource, SourceTensor } from './source.js';

/** A model in one safetensors file. */
export function openSafetensors(path: string, file: FileSource): ModelSource {
  const { tensors, metadata } = readSafetensorsHeader(file);
  const named = new Map([...tensors].map(([name, entry]) => [name, safetensorsTensor(file, name, entry)] as const));
  return safetensorsModel('safetensors', path, [file], named, metadata);
}

/** A model of safetensors files: what their tensors are multiplied by. */
export function safetensorsModel(
  format: string,
  path: string,
  files: readonly FileSource[],
  tensors: ReadonlyMap<string, SourceTensor>,
  metadata: ReadonlyMap<string, string>,
): ModelSource {
  return {
    format,
    path,
    files: files.map((file) => resolve(file.path)),
    tensors,
    metadata,
    ...safetensorsWeights(tensors),
    close: () => {
      for (const file of files) file.release();
    },
  };
}
