import { CATALOGUE } from '../hostile/catalogue.js';
import type { FolderCase } from '../hostile/folder-cases.js';
import { soundPackedFile } from '../hostile/packed-cases.js';
import { array, chunked, ext, ndarray, pack } from '../support/flax.js';
import { ggufBytes, kv, text } from '../support/gguf.js';
import { f32, safetensorsBytes, values } from '../support/safetensors.js';
import { graphTopology, tfjsFiles } from '../support/tfjs.js';

type Files = FolderCase['files'];

const tensors = { 'a.weight': f32([4, 6]), 'a.bias': f32([4]), b: f32([3]) };

/** Sound models: most changes of them come past the first checks. */
const SOUND: Readonly<Record<string, Files>> = {
  safetensors: { 'model.safetensors': safetensorsBytes(tensors, { format: 'pt' }) },
  'safetensors in shards': {
    'model.safetensors.index.json': JSON.stringify({ weight_map: { 'a.weight': 'one.safetensors' } }),
    'one.safetensors': safetensorsBytes({ 'a.weight': f32([4, 6]) }),
  },
  'packed safetensors': { 'model.safetensors': soundPackedFile },
  'TensorFlow.js': tfjsFiles(graphTopology([{ name: 'w', op: 'Const' }]), [
    { name: 'w', shape: [2, 3], dtype: 'float32', data: values(6) },
  ]),
  Flax: {
    'flax_model.msgpack': pack({
      params: { fc: { kernel: ndarray([2, 3], values(6)), bias: ndarray([3], values(3)) } },
      table: chunked([2, 2], [ndarray([3], values(3)), ndarray([1], values(1))]),
      step: ndarray([], values(1), 'float32', 3),
      z: ext(2, array([0.5, 1.5])),
    }),
  },
  GGUF: {
    'model.gguf': ggufBytes({
      keys: [kv('general.name', 8, text('x'))],
      tensors: [
        { name: 'a', dims: [32, 2], data: values(64) },
        { name: 'q', type: 8, dims: [32], data: new Uint8Array(34).fill(3) },
      ],
    }),
  },
};

/** What a parser's fuzzing starts from: a sound model where there is one here, and files that break one rule each. */
export function seedsOf(format: string): readonly Files[] {
  const sound = SOUND[format];
  // The largest only repeat what a cap stops anyway.
  const broken = CATALOGUE[format]!.map(({ files }) => files).filter((files) => firstBytes(files).length < 2 ** 16);
  return sound === undefined ? broken : [...Array<Files>(4).fill(sound), ...broken];
}

export function firstBytes(files: Files): Buffer {
  const first = Object.values(files)[0]!;
  return typeof first === 'string' ? Buffer.from(first) : Buffer.from(first.buffer, first.byteOffset, first.byteLength);
}
