import { compressedCases } from './compressed-cases.js';
import { shardedCases, tfjsCases, type FolderCase } from './folder-cases.js';
import { flaxCases } from './flax-cases.js';
import { ggufCases } from './gguf-cases.js';
import { onnxCases } from './onnx-cases.js';
import { packedCases } from './packed-cases.js';
import { checkpointCases, pickleCases } from './pytorch-cases.js';
import { safetensorsCases, type HostileCase } from './safetensors-cases.js';
import { npyCases, zipCases } from './zip-cases.js';

const asFiles =
  (name: string) =>
  (one: HostileCase): FolderCase => ({ name: one.name, code: one.code, files: { [name]: one.bytes } });

/**
 * Every malformed model that must be refused, by format: one line each, which the tests of refusal, of memory and time, and
 * the fuzzing take. The first file of each is the one that is opened.
 */
export const CATALOGUE: Readonly<Record<string, readonly FolderCase[]>> = {
  safetensors: safetensorsCases.map(asFiles('model.safetensors')),
  'safetensors in shards': shardedCases,
  'packed safetensors': packedCases.map(asFiles('model.safetensors')),
  'TensorFlow.js': tfjsCases,
  GGUF: ggufCases.map(asFiles('model.gguf')),
  ONNX: onnxCases,
  Flax: flaxCases.map(asFiles('flax_model.msgpack')),
  'compressed-tensors': compressedCases.map(asFiles('model.safetensors')),
  zip: zipCases.map(asFiles('model.npz')),
  NumPy: npyCases.map(asFiles('model.npy')),
  pickle: pickleCases.map(asFiles('model.pt')),
  'PyTorch checkpoint': checkpointCases.map(asFiles('model.pt')),
};
