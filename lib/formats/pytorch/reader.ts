import { resolve } from 'node:path';
import { QgemmError, show } from '../../errors.js';
import { readBytes, type ByteSource, type FileSource } from '../file.js';
import type { TorchCheckpoint } from './checkpoint.js';
import { isTorchLegacy, readTorchLegacy } from './legacy.js';
import type { TorchCodes } from './tensors.js';
import { isTorchArchive, readTorchArchive } from './zip.js';
import { safetensorsWeights } from '../safetensors/weights.js';
import type { ShardFormat } from '../safetensors/shards.js';
import type { MatmulWeight, ModelSource } from '../source.js';
import { isZip, readZip } from '../zip.js';

/** A checkpoint of `torch.save` before 1.6. */
export function openTorchLegacy(path: string, file: FileSource): ModelSource {
  return torchModel('pytorch-legacy', path, [file], readTorchLegacy(file));
}

function isTorch(start: Uint8Array): boolean {
  return isZip(start) || isTorchLegacy(start);
}

/** A checkpoint whose first bytes are those of one. */
function readTorch(source: ByteSource): TorchCheckpoint {
  if (isTorchLegacy(readBytes(source, 0, Math.min(source.size, 16)))) return readTorchLegacy(source);
  const entries = readZip(source);
  if (isTorchArchive(entries)) return readTorchArchive(source, entries);
  throw new QgemmError('ERR_QGEMM_FORMAT', `${show(source.path)} must be a PyTorch checkpoint, but has no data.pkl`);
}

/** A checkpoint in several files. */
export const torchShards: ShardFormat = {
  recognises: isTorch,
  read: readTorch,
  model: (path, files, all) => torchModel('pytorch-sharded', path, files, all),
};

/** A model made of the tensors of checkpoints. Matmul weights are found as in safetensors. */
export function torchModel(
  format: string,
  path: string,
  files: readonly FileSource[],
  { tensors, metadata, quantized }: TorchCheckpoint,
): ModelSource {
  const weights = safetensorsWeights(tensors);
  const withCodes = (name: string, weight: MatmulWeight): MatmulWeight => {
    const found = quantized.get(name);
    return found !== undefined && fits(weight, found) ? { ...weight, quantized: found.codes } : weight;
  };
  return {
    format,
    path,
    files: files.map((file) => resolve(file.path)),
    tensors,
    metadata,
    matmuls: new Map([...weights.matmuls].map(([name, weight]) => [name, withCodes(name, weight)])),
    asMatmul: (name) => {
      const weight = weights.asMatmul(name);
      return weight && withCodes(name, weight);
    },
    close: () => {
      for (const file of files) file.release();
    },
  };
}

/** Codes can be kept where every output has one scale. */
function fits({ layout }: MatmulWeight, { axis }: TorchCodes): boolean {
  return axis === undefined || axis === (layout === 'nk' ? 0 : 1);
}
