import { dirname } from 'node:path';
import { QgemmError, show } from '../../errors.js';
import { FileSource, readBytes, type ByteSource } from '../file.js';
import type { JsonObject } from '../json.js';
import { MAX_SHARDS, MAX_TENSORS } from '../limits.js';
import { flaxShards } from '../flax/reader.js';
import { OneOpenFile } from '../open-files.js';
import { containedPath } from '../paths.js';
import { torchShards } from '../pytorch/reader.js';
import { safetensorsShards } from './reader.js';
import type { Shard, ShardFormat } from './shards.js';
import type { ModelSource, SourceTensor } from '../source.js';
import type { TorchCodes } from '../pytorch/tensors.js';

/** The formats that may lie in several files: one line each. What is of no other is taken for safetensors. */
const SHARD_FORMATS: readonly [ShardFormat, ...ShardFormat[]] = [torchShards, flaxShards, safetensorsShards];

/**
 * A model in several files: an index such as `<name>.safetensors.index.json` says which tensor is in which. Every file is
 * opened and validated here; the index and the files must agree on every tensor.
 */
export function openSharded(path: string, index: FileSource, json: JsonObject): ModelSource {
  const file = show(index.path);
  const names = readIndex(file, json);
  index.release();
  const files = new Map<string, FileSource>();
  const owners = new Map<string, string>();
  const tensors = new Map<string, SourceTensor>();
  const metadata = new Map<string, string>();
  const quantized = new Map<string, TorchCodes>();
  const reader = new OneOpenFile();
  let format: ShardFormat | undefined;
  for (const [tensor, name] of names) {
    if (!files.has(name)) {
      const source = new FileSource(containedPath(dirname(index.path), name, `a shard in ${file}`));
      files.set(name, source);
      const [shard, itsFormat] = readShard(source, reader);
      format ??= itsFormat;
      if (format !== itsFormat) {
        throw new QgemmError(
          'ERR_QGEMM_FORMAT',
          `${show(name)} must be of the same format as the other files of ${file}`,
        );
      }
      for (const [key, value] of shard.metadata) if (!metadata.has(key)) metadata.set(key, value);
      for (const [key, codes] of shard.quantized ?? []) quantized.set(key, codes);
      for (const [key, found] of shard.tensors) {
        if (names.get(key) !== name) {
          const listed = names.has(key) ? `is listed for ${show(names.get(key))}` : 'is not listed';
          throw new QgemmError('ERR_QGEMM_FORMAT', `tensor ${show(key)} is in ${show(name)}, but ${listed} in ${file}`);
        }
        owners.set(key, name);
        tensors.set(key, found);
      }
    }
    if (owners.get(tensor) !== name) {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `${file} must list tensors that exist, but ${show(tensor)} is not in ${show(name)}`,
      );
    }
  }
  format ??= safetensorsShards; // of an index of nothing
  return format.model(path, [index, ...files.values()], { tensors, metadata, quantized });
}

function readShard(file: FileSource, reader: OneOpenFile): [Shard, ShardFormat] {
  const source: ByteSource = {
    path: file.path,
    size: file.size,
    readInto: (target, position) => reader.read(file, target, position),
  };
  const start = readBytes(source, 0, Math.min(16, source.size));
  const format = SHARD_FORMATS.find((line) => line.recognises(start)) ?? safetensorsShards;
  return [format.read(source), format];
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
