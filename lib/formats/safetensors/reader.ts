import { resolve } from 'node:path';
import { findCompressed, withCodes, type CompressedTensors } from '../compressed-tensors/reader.js';
import type { ByteSource, FileSource } from '../file.js';
import { looksLikeSafetensors, readSafetensorsHeader, safetensorsTensor } from './header.js';
import { safetensorsWeights } from './weights.js';
import type { Shard, ShardFormat } from './shards.js';
import type { ModelSource, QuantizedCodes, SourceTensor } from '../source.js';

/** A model in one safetensors file. */
export function openSafetensors(path: string, file: FileSource): ModelSource {
  const { tensors, metadata } = readShard(file);
  return safetensorsModel('safetensors', path, [file], tensors, metadata);
}

/** A model in several safetensors files. */
export const safetensorsShards: ShardFormat = {
  recognises: looksLikeSafetensors,
  read: readShard,
  model: (path, files, { tensors, metadata }) =>
    safetensorsModel('safetensors-sharded', path, files, tensors, metadata),
};

function readShard(source: ByteSource): Shard {
  const { tensors, metadata } = readSafetensorsHeader(source);
  const named = [...tensors].map(([name, entry]) => [name, safetensorsTensor(source, name, entry)] as const);
  return { tensors: new Map(named), metadata };
}

/** A model of safetensors files: what their tensors are multiplied by. */
function safetensorsModel(
  format: string,
  path: string,
  files: readonly FileSource[],
  tensors: ReadonlyMap<string, SourceTensor>,
  metadata: ReadonlyMap<string, string>,
): ModelSource {
  const compressed = findCompressed(tensors);
  return {
    format,
    path,
    files: files.map((file) => resolve(file.path)),
    tensors: compressed?.tensors ?? tensors,
    metadata,
    ...weightsOf(tensors, compressed),
    close: () => {
      for (const file of files) file.release();
    },
  };
}

function weightsOf(
  tensors: ReadonlyMap<string, SourceTensor>,
  compressed: CompressedTensors | undefined,
): Pick<ModelSource, 'matmuls' | 'asMatmul'> {
  if (compressed === undefined) return safetensorsWeights(tensors);
  const { matmuls, asMatmul } = safetensorsWeights(compressed.tensors);
  const codes = (name: string): QuantizedCodes | undefined => compressed.quantized.get(name);
  return {
    matmuls: new Map([...matmuls].map(([name, weight]) => [name, withCodes(weight, codes(name))!])),
    asMatmul: (name) => withCodes(asMatmul(name), codes(name)),
  };
}
