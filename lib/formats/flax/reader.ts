import { resolve } from 'node:path';
import { show } from '../../errors.js';
import { isFloat } from '../dtypes.js';
import type { ByteSource, FileSource } from '../file.js';
import type { FlaxArray } from './array.js';
import { readFlaxTree } from './tree.js';
import { isKernel, kernelRule } from '../kernel-weights.js';
import { MsgpackReader } from './msgpack.js';
import type { Shard, ShardFormat } from '../safetensors/shards.js';
import type { MatmulWeight, ModelSource, SourceTensor } from '../source.js';

/** What every metadata key of a Flax source begins with, so that none is taken for one of ours. */
const METADATA_PREFIX = 'flax.';

/**
 * Whether a file begins as a checkpoint does: a msgpack map, then a key, which is text. The length that a safetensors file
 * begins with may look the same, but has zero bytes where a checkpoint has its first key.
 */
export function isFlax(start: Uint8Array): boolean {
  const [type = 0] = start;
  const key = start[type === 0xde ? 3 : type === 0xdf ? 5 : 1] ?? 0;
  const isMap = (type > 0x80 && type < 0x90) || type === 0xde || type === 0xdf;
  const isText = (key >= 0xa0 && key < 0xc0) || (key >= 0xd9 && key <= 0xdb);
  return isMap && isText && start.subarray(4, 8).some((byte) => byte !== 0);
}

/**
 * A checkpoint of Flax: what `flax.serialization.to_bytes` and `msgpack_serialize` write, such as the flax_model.msgpack of
 * transformers. Its structure is walked, its arrays are not read.
 *
 * @throws QgemmError FORMAT, LIMIT, DTYPE
 */
export function openFlax(path: string, file: FileSource): ModelSource {
  return flaxModel('flax', path, [file], readFlax(file));
}

/** A checkpoint in several files, as transformers writes large ones. */
export const flaxShards: ShardFormat = {
  recognises: isFlax,
  read: readFlax,
  model: (path, files, all) => flaxModel('flax-sharded', path, files, all),
};

function flaxModel(format: string, path: string, files: readonly FileSource[], shard: Shard): ModelSource {
  const { tensors, metadata } = shard;
  return {
    format,
    path,
    files: files.map((file) => resolve(file.path)),
    tensors,
    metadata,
    ...flaxWeights(tensors),
    close: () => {
      for (const file of files) file.release();
    },
  };
}

/** What one file of a checkpoint holds. */
export function readFlax(source: ByteSource): Shard {
  const { arrays, texts } = readFlaxTree(new MsgpackReader(source, show(source.path)), source.size);
  return {
    tensors: new Map([...arrays].map(([name, array]) => [name, flaxTensor(source, name, array)] as const)),
    metadata: new Map([...texts].map(([key, text]) => [METADATA_PREFIX + key, text])),
  };
}

/** Kernels are multiplied by. Any other float matrix is [N, K] when it is named: a table that an output layer shares is. */
function flaxWeights(tensors: ModelSource['tensors']): Pick<ModelSource, 'matmuls' | 'asMatmul'> {
  const byKernel = kernelRule(tensors);
  const asMatmul = (name: string): MatmulWeight | undefined => {
    if (isKernel(name)) return byKernel(name);
    const { shape, dtype } = tensors.get(name) ?? { shape: [], dtype: 'BOOL' };
    return shape.length === 2 && isFloat(dtype) ? { n: shape[0]!, k: shape[1]!, layout: 'nk' } : undefined;
  };
  const kernels = [...tensors.keys()].filter(isKernel).map((name) => [name, byKernel(name)] as const);
  return {
    matmuls: new Map(kernels.filter((entry): entry is [string, MatmulWeight] => entry[1] !== undefined)),
    asMatmul,
  };
}

function flaxTensor(source: ByteSource, name: string, { dtype, shape, byteLength, pieces }: FlaxArray): SourceTensor {
  const readInto = (target: Uint8Array, position: number): void => {
    let start = 0;
    for (const piece of pieces) {
      const from = Math.max(position, start);
      const to = Math.min(position + target.length, start + piece.byteLength);
      if (from < to) source.readInto(target.subarray(from - position, to - position), piece.offset + from - start);
      start += piece.byteLength;
    }
  };
  return { name, dtype, shape, byteLength, readInto };
}
