import { rawSafetensors, safetensorsBytes, values } from '../support/safetensors.js';
import { graphTopology, tfjsFiles } from '../support/tfjs.js';

/** A model of several files that must be refused; the first file is the one that is opened. */
export interface FolderCase {
  name: string;
  code: string;
  files: Record<string, string | Uint8Array>;
}

const FORMAT = 'ERR_QGEMM_FORMAT';
const LIMIT = 'ERR_QGEMM_LIMIT';
const PATH = 'ERR_QGEMM_PATH';
const DTYPE = 'ERR_QGEMM_DTYPE';
const IO = 'ERR_QGEMM_IO';

const shard = safetensorsBytes({ 'a.weight': { dtype: 'F32', shape: [2, 2], data: values(4) } });
const index = (
  map: unknown,
  files: Record<string, Uint8Array> = { 'one.safetensors': shard },
): FolderCase['files'] => ({
  'model.safetensors.index.json': JSON.stringify({ weight_map: map }),
  ...files,
});

export const shardedCases: FolderCase[] = [
  { name: 'weight_map that is an array', code: FORMAT, files: index(['a.weight']) },
  { name: 'weight_map with a number', code: FORMAT, files: index({ 'a.weight': 1 }) },
  { name: 'index cut off', code: FORMAT, files: { ...index({}), 'model.safetensors.index.json': '{"weight_map":{"a' } },
  {
    name: 'index with a tensor twice',
    code: FORMAT,
    files: {
      ...index({}),
      'model.safetensors.index.json': '{"weight_map":{"a":"one.safetensors","a":"one.safetensors"}}',
    },
  },
  { name: 'shard that is missing', code: IO, files: index({ 'a.weight': 'two.safetensors' }) },
  { name: 'shard by absolute path', code: PATH, files: index({ 'a.weight': '/etc/passwd' }) },
  { name: 'shard outside the folder', code: PATH, files: index({ 'a.weight': '../one.safetensors' }) },
  { name: 'shard outside by a detour', code: PATH, files: index({ 'a.weight': 'x/../../one.safetensors' }) },
  { name: 'shard with backslashes', code: PATH, files: index({ 'a.weight': '..\\one.safetensors' }) },
  { name: 'shard on a drive', code: PATH, files: index({ 'a.weight': 'C:one.safetensors' }) },
  { name: 'shard by URL', code: PATH, files: index({ 'a.weight': 'https://example.com/one.safetensors' }) },
  { name: 'shard with a zero byte', code: PATH, files: index({ 'a.weight': 'one.safetensors\0' }) },
  { name: 'shard without a name', code: PATH, files: index({ 'a.weight': '' }) },
  { name: 'shard that is a folder', code: IO, files: { ...index({ 'a.weight': 'sub' }), 'sub/x': shard } },
  {
    name: 'tensor that its shard lacks',
    code: FORMAT,
    files: index({ 'a.weight': 'one.safetensors', b: 'one.safetensors' }),
  },
  { name: 'tensor that is not listed', code: FORMAT, files: index({ b: 'one.safetensors' }) },
  {
    name: 'tensor in another shard than listed',
    code: FORMAT,
    files: index(
      { 'a.weight': 'two.safetensors', b: 'one.safetensors' },
      {
        'one.safetensors': shard,
        'two.safetensors': safetensorsBytes({ b: { dtype: 'F32', shape: [1], data: values(1) } }),
      },
    ),
  },
  {
    name: 'truncated shard',
    code: FORMAT,
    files: index({ 'a.weight': 'one.safetensors' }, { 'one.safetensors': shard.subarray(0, -1) }),
  },
  {
    name: 'shard that is too long',
    code: FORMAT,
    files: index({ 'a.weight': 'one.safetensors' }, { 'one.safetensors': Buffer.concat([shard, Buffer.alloc(1)]) }),
  },
  {
    name: 'shard with a huge header',
    code: LIMIT,
    files: index({ 'a.weight': 'one.safetensors' }, { 'one.safetensors': rawSafetensors('{}', undefined, 2n ** 40n) }),
  },
  {
    name: '10,001 shards',
    code: LIMIT,
    files: index(Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`t${i}`, `s${i}`]))),
  },
  {
    name: 'index nested too deep',
    code: LIMIT,
    files: { 'model.safetensors.index.json': '{"weight_map":'.repeat(1000) },
  },
];

const weight = { name: 'w', shape: [2, 2], dtype: 'float32', data: values(4) };
const graph = graphTopology([{ name: 'w', op: 'Const' }]);
const manifest = (
  weights: unknown,
  paths: unknown = ['w.bin'],
  data: Uint8Array = new Uint8Array(16),
): FolderCase['files'] => ({
  'model.json': JSON.stringify({ modelTopology: graph, weightsManifest: [{ paths, weights }] }),
  'w.bin': data,
});
const one = (changes: object): FolderCase['files'] =>
  manifest([{ name: 'w', shape: [2, 2], dtype: 'float32', ...changes }]);

export const tfjsCases: FolderCase[] = [
  { name: 'no topology', code: FORMAT, files: { 'model.json': '{"weightsManifest":[]}' } },
  {
    name: 'topology that is an array',
    code: FORMAT,
    files: { 'model.json': '{"modelTopology":[],"weightsManifest":[]}' },
  },
  { name: 'no manifest', code: FORMAT, files: { 'model.json': JSON.stringify({ modelTopology: graph }) } },
  {
    name: 'manifest that is an object',
    code: FORMAT,
    files: { 'model.json': JSON.stringify({ modelTopology: graph, weightsManifest: {} }) },
  },
  { name: 'group without paths', code: FORMAT, files: manifest([], null) },
  { name: 'paths with a number', code: FORMAT, files: manifest([], [1]) },
  { name: 'file named twice', code: FORMAT, files: manifest([], ['w.bin', 'w.bin']) },
  { name: 'missing weight file', code: IO, files: manifest([], ['x.bin']) },
  { name: 'weight file by absolute path', code: PATH, files: manifest([], ['/dev/zero']) },
  { name: 'weight file outside the folder', code: PATH, files: manifest([], ['../w.bin']) },
  { name: 'weight file by URL', code: PATH, files: manifest([], ['http://example.com/w.bin']) },
  {
    name: '10,001 weight files',
    code: LIMIT,
    files: manifest(
      [],
      Array.from({ length: 10_001 }, (_, i) => `s${i}`),
    ),
  },
  { name: 'weight without a name', code: FORMAT, files: one({ name: undefined }) },
  { name: 'weight name that is a number', code: FORMAT, files: one({ name: 1 }) },
  { name: 'weight twice', code: FORMAT, files: tfjsFiles(graph, [weight, weight]) },
  {
    name: 'key twice in model.json',
    code: FORMAT,
    files: { 'model.json': '{"modelTopology":{},"modelTopology":{},"weightsManifest":[]}' },
  },
  { name: 'no shape', code: FORMAT, files: one({ shape: undefined }) },
  { name: 'negative dimension', code: FORMAT, files: one({ shape: [-2, -2] }) },
  { name: 'fractional dimension', code: FORMAT, files: one({ shape: [0.5, 8] }) },
  { name: 'shape of 2^60 elements', code: LIMIT, files: one({ shape: [2 ** 30, 2 ** 30] }) },
  { name: '65 dimensions', code: LIMIT, files: one({ shape: Array(65).fill(1) }) },
  { name: 'string weight', code: DTYPE, files: one({ dtype: 'string' }) },
  { name: 'unknown dtype', code: DTYPE, files: one({ dtype: 'constructor' }) },
  { name: 'too few bytes', code: FORMAT, files: manifest([{ name: 'w', shape: [2, 3], dtype: 'float32' }]) },
  { name: 'too many bytes', code: FORMAT, files: manifest([{ name: 'w', shape: [1, 3], dtype: 'float32' }]) },
  { name: 'bytes without weights', code: FORMAT, files: manifest([]) },
  { name: 'quantization that is a string', code: DTYPE, files: one({ quantization: 'uint8' }) },
  { name: 'quantization to int4', code: DTYPE, files: one({ quantization: { dtype: 'int4', scale: 1, min: 0 } }) },
  {
    name: 'quantization of bool',
    code: DTYPE,
    files: one({ dtype: 'bool', quantization: { dtype: 'uint8', scale: 1, min: 0 } }),
  },
  { name: 'quantization without scale', code: FORMAT, files: one({ quantization: { dtype: 'uint8', min: 0 } }) },
  {
    name: 'quantization with an infinite scale',
    code: FORMAT,
    files: {
      ...one({}),
      'model.json': JSON.stringify({
        modelTopology: graph,
        weightsManifest: [
          {
            paths: ['w.bin'],
            weights: [{ name: 'w', shape: [16], dtype: 'float32', quantization: { dtype: 'uint8', scale: 7, min: 0 } }],
          },
        ],
      }).replace(':7,', ':1e999,'),
    },
  },
  {
    name: 'quantization with the wrong size',
    code: FORMAT,
    files: one({ quantization: { dtype: 'uint8', scale: 1, min: 0 } }),
  },
  {
    name: 'model.json nested too deep',
    code: LIMIT,
    files: { 'model.json': `{"modelTopology":${'['.repeat(200_000)}` },
  },
];
