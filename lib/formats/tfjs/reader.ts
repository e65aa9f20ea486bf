import { dirname, resolve } from 'node:path';
import { QgemmError, show } from '../../errors.js';
import { isFloat } from '../dtypes.js';
import { FileSource, type ByteSource } from '../file.js';
import type { JsonObject, JsonValue } from '../json.js';
import { MAX_SHARDS, MAX_TENSORS } from '../limits.js';
import { OneOpenFile } from '../open-files.js';
import { containedPath } from '../paths.js';
import type { MatmulWeight, ModelSource, SourceTensor } from '../source.js';
import { graphMatmuls } from './graph.js';
import { layersMatmuls } from './layers.js';
import { readWeightGroup } from './weights.js';

/** A TensorFlow.js model: `model.json` with its topology and weights manifest, and the weight files beside it. */
export function openTfjs(path: string, file: FileSource, json: JsonObject): ModelSource {
  const what = show(file.path);
  file.release();
  const topology = json.get('modelTopology');
  if (!(topology instanceof Map))
    throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have an object "modelTopology"`);
  const { tensors, shards } = readManifest(file.path, what, json.get('weightsManifest'));
  const isGraph = topology.has('node');
  return {
    format: isGraph ? 'tfjs-graph' : 'tfjs-layers',
    path,
    files: [file, ...shards].map((source) => resolve(source.path)),
    tensors,
    metadata: describe(json),
    matmuls: (isGraph ? graphMatmuls : layersMatmuls)(topology, tensors),
    asMatmul: (name) => asMatmul(tensors.get(name)),
    close: () => {
      for (const shard of shards) shard.release();
    },
  };
}

function readManifest(
  path: string,
  file: string,
  manifest: JsonValue | undefined,
): { tensors: Map<string, SourceTensor>; shards: FileSource[] } {
  if (!Array.isArray(manifest))
    throw new QgemmError('ERR_QGEMM_FORMAT', `${file} must have an array "weightsManifest"`);
  const reader = new OneOpenFile();
  const tensors = new Map<string, SourceTensor>();
  const shards: FileSource[] = [];
  const used = new Set<string>();
  manifest.forEach((group, index) => {
    const what = `weight group ${index} of ${file}`;
    const paths = group instanceof Map ? group.get('paths') : undefined;
    const weights = group instanceof Map ? group.get('weights') : undefined;
    if (!Array.isArray(paths) || !paths.every((name) => typeof name === 'string') || !Array.isArray(weights)) {
      throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have "paths" (strings) and "weights"`);
    }
    if (shards.length + paths.length > MAX_SHARDS) {
      throw new QgemmError('ERR_QGEMM_LIMIT', `${file} must name at most ${MAX_SHARDS} weight files`);
    }
    const files = paths.map((name) => {
      if (used.has(name))
        throw new QgemmError(
          'ERR_QGEMM_FORMAT',
          `${file} must name every weight file once, but has ${show(name)} twice`,
        );
      used.add(name);
      const shard = new FileSource(containedPath(dirname(path), name, `a weight file of ${file}`));
      shard.release();
      return shard;
    });
    shards.push(...files);
    for (const tensor of readWeightGroup(what, weights, concatenate(path, files, reader))) {
      if (tensors.has(tensor.name)) {
        throw new QgemmError(
          'ERR_QGEMM_FORMAT',
          `${file} must name every weight once, but has ${show(tensor.name)} twice`,
        );
      }
      tensors.set(tensor.name, tensor);
    }
  });
  if (tensors.size > MAX_TENSORS) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${file} must name at most ${MAX_TENSORS} weights, got ${tensors.size}`);
  }
  return { tensors, shards };
}

/** Files one after another as one source: weights may begin in one file and end in the next. */
function concatenate(path: string, files: readonly FileSource[], reader: OneOpenFile): ByteSource {
  const starts: number[] = [];
  let size = 0;
  for (const file of files) {
    starts.push(size);
    size += file.size;
  }
  const readInto = (target: Uint8Array, position: number): void => {
    files.forEach((file, index) => {
      const start = starts[index]!;
      const from = Math.max(position, start);
      const to = Math.min(position + target.length, start + file.size);
      if (from < to) reader.read(file, target.subarray(from - position, to - position), from - start);
    });
  };
  return { path, size, readInto };
}

/** TensorFlow stores matrices, and the filters of 1x1 convolutions, as [K, N]. */
function asMatmul(tensor: SourceTensor | undefined): MatmulWeight | undefined {
  if (tensor === undefined || !isFloat(tensor.dtype)) return undefined;
  const { shape } = tensor;
  const isFilter = shape.length === 4 && shape[0] === 1 && shape[1] === 1;
  if (shape.length !== 2 && !isFilter) return undefined;
  const [k, n] = shape.slice(-2) as [number, number];
  return { n, k, layout: 'kn' };
}

function describe(json: JsonObject): Map<string, string> {
  const metadata = new Map<string, string>();
  for (const key of ['format', 'generatedBy', 'convertedBy']) {
    const value = json.get(key);
    if (typeof value === 'string') metadata.set(`tfjs.${key}`, value);
  }
  return metadata;
}
