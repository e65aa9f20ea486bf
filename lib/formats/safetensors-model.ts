import { dirname, resolve } from 'node:path';
import { QgemmError, show } from '../errors.js';
import { FileSource } from './file.js';
import type { JsonObject } from './json.js';
import { MAX_SHARDS, MAX_TENSORS } from './limits.js';
import { OneOpenFile } from './open-files.js';
import { containedPath } from './paths.js';
import { readSafetensorsHeader, safetensorsTensor } from './safetensors.js';
import { safetensorsWeights } from './safetensors-weights.js';
import type { ModelSource, SourceTensor } from './source.js';

/** A model in one safetensors file. */
export function openSafetensors(path: string, file: FileSource): ModelSource {
  const { tensors, metadata } = readSafetensorsHeader(file);
  const named = new Map([...tensors].map(([name, entry]) => [name, safetensorsTensor(file, name, entry)] as const));
  return model('safetensors', path, [file], named, metadata);
}

/**
 * A model in several safetensors files: `<name>.safetensors.index.json` says which tensor is in which. Every file is
 * opened and validated here; the index and the files must agree on every tensor.
 */
export function openShardedSafetensors(path: string, index: FileSource, json: JsonObject): ModelSource {
  const file = show(index.path);
  const shards = readIndex(file, json);
  index.release();
  const files = new Map<string, FileSource>();
  const owners = new Map<string, string>();
  const tensors = new Map<string, SourceTensor>();
  const metadata = new Map<string, string>();
  const reader = new OneOpenFile();
  for (const [tensor, shard] of shards) {
    if (!files.has(shard)) {
      const source = new FileSource(containedPath(dirname(index.path), shard, `a shard in ${file}`));
      files.set(shard, source);
      const header = readSafetensorsHeader(source);
      source.release();
      for (const [key, value] of header.metadata) if (!metadata.has(key)) metadata.set(key, value);
      const bytes = {
        path: source.path,
        size: source.size,
        readInto: (target: Uint8Array, position: number) => reader.read(source, target, position),
      };
      for (const [name, entry] of header.tensors) {
        if (shards.get(name) !== shard) {
          const listed = shards.has(name) ? `is listed for ${show(shards.get(name))}` : 'is not listed';
          throw new QgemmError(
            'ERR_QGEMM_FORMAT',
            `tensor ${show(name)} is in ${show(shard)}, but ${listed} in ${file}`,
          );
        }
        owners.set(name, shard);
        tensors.set(name, safetensorsTensor(bytes, name, entry));
      }
    }
    if (owners.get(tensor) !== shard) {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `${file} must list tensors that exist, but ${show(tensor)} is not in ${show(shard)}`,
      );
    }
  }
  return model('safetensors-sharded', path, [index, ...files.values()], tensors, metadata);
}

function readIndex(file: string, json: JsonObject): Map<string, string> {
  const map = json.get('weight_map');
  if (!(map instanceof Map)) throw new QgemmError('ERR_QGEMM_FORMAT', `${file} must have an object "weight_map"`);
  for (const [tensor, shard] of map) {
    if (typeof shard !== 'string') {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `"weight_map" in ${file} must give a file name for ${show(tensor)}, got ${show(shard)}`,
      );
    }
  }
  if (map.size > MAX_TENSORS) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${file} must list at most ${MAX_TENSORS} tensors, got ${map.size}`);
  }
  const shards = new Set(map.values()).size;
  if (shards > MAX_SHARDS) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${file} must list at most ${MAX_SHARDS} files, got ${shards}`);
  }
  return map as Map<string, string>;
}

function model(
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
