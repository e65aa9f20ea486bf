import { safetensorsBytes, type TestTensor } from '../support/safetensors.js';
import type { HostileCase } from './safetensors-cases.js';

const FORMAT = 'ERR_QGEMM_FORMAT';
const LIMIT = 'ERR_QGEMM_LIMIT';

type Parts = Record<string, TestTensor>;

const parts = (): Parts => ({
  'a.weight.panels': { dtype: 'I8', shape: [1, 16, 32, 4], data: new Int8Array(2048) },
  'a.weight.scales': { dtype: 'F32', shape: [32], data: new Float32Array(32).fill(1) },
  'a.weight.column_sums': { dtype: 'I32', shape: [32], data: new Int32Array(32) },
});

const record = {
  scheme: 'int8',
  n: 8,
  k: 40,
  granularity: 'per-channel',
  symmetric: true,
  activations: 'asymmetric',
  source: { dtype: 'F32', shape: [8, 40], layout: 'nk' },
};

function file(changes: object, tensors: Parts = parts(), more: Record<string, string> = {}): Buffer {
  const text = JSON.stringify({ ...record, ...changes });
  return safetensorsBytes(tensors, { 'qgemm.format_version': '1', 'qgemm.weight.a.weight': text, ...more });
}

function without(name: string): Parts {
  return Object.fromEntries(Object.entries(parts()).filter(([part]) => part !== name));
}

/** The file that every case below breaks in one place. */
export const soundPackedFile: Buffer = file({});

/** Files that call themselves ours and lie about it. */
export const packedCases: HostileCase[] = [
  { name: 'unknown version', code: FORMAT, bytes: file({}, parts(), { 'qgemm.format_version': '2' }) },
  {
    name: 'record that is no JSON',
    code: FORMAT,
    bytes: safetensorsBytes(parts(), { 'qgemm.format_version': '1', 'qgemm.weight.a.weight': '{' }),
  },
  {
    name: 'record that is an array',
    code: FORMAT,
    bytes: safetensorsBytes(parts(), { 'qgemm.format_version': '1', 'qgemm.weight.a.weight': '[]' }),
  },
  { name: 'record without arrays', code: FORMAT, bytes: file({}, {}) },
  { name: 'panels missing', code: FORMAT, bytes: file({}, without('a.weight.panels')) },
  { name: 'scales missing', code: FORMAT, bytes: file({}, without('a.weight.scales')) },
  { name: 'column sums missing', code: FORMAT, bytes: file({}, without('a.weight.column_sums')) },
  { name: 'zero points missing', code: FORMAT, bytes: file({ symmetric: false }) },
  { name: 'bias missing', code: FORMAT, bytes: file({ bias: { name: 'a.bias', dtype: 'F32' } }) },
  { name: 'bias without a name', code: FORMAT, bytes: file({ bias: { dtype: 'F32' } }) },
  {
    name: 'panels of another dtype',
    code: FORMAT,
    bytes: file(
      {},
      { ...parts(), 'a.weight.panels': { dtype: 'U8', shape: [1, 16, 32, 4], data: new Uint8Array(2048) } },
    ),
  },
  {
    name: 'panels of another shape',
    code: FORMAT,
    bytes: file(
      {},
      { ...parts(), 'a.weight.panels': { dtype: 'I8', shape: [16, 1, 32, 4], data: new Int8Array(2048) } },
    ),
  },
  {
    name: 'panels too short',
    code: FORMAT,
    bytes: file(
      {},
      { ...parts(), 'a.weight.panels': { dtype: 'I8', shape: [1, 15, 32, 4], data: new Int8Array(1920) } },
    ),
  },
  {
    name: 'n larger than the panels',
    code: FORMAT,
    bytes: file({ n: 33, source: { ...record.source, shape: [33, 40] } }),
  },
  {
    name: 'k larger than the panels',
    code: FORMAT,
    bytes: file({ k: 65, source: { ...record.source, shape: [8, 65] } }),
  },
  { name: 'n that is 0', code: FORMAT, bytes: file({ n: 0, source: { ...record.source, shape: [0, 40] } }) },
  { name: 'negative k', code: FORMAT, bytes: file({ k: -40 }) },
  { name: 'n as a string', code: FORMAT, bytes: file({ n: '8' }) },
  {
    name: 'n that overflows',
    code: FORMAT,
    bytes: file({ n: 2 ** 53 - 1, source: { ...record.source, shape: [2 ** 53 - 1, 40] } }),
  },
  {
    name: 'k beyond exact sums',
    code: LIMIT,
    bytes: file({ k: 65_794, source: { ...record.source, shape: [8, 65_794] } }),
  },
  {
    name: 'shape that disagrees with n and k',
    code: FORMAT,
    bytes: file({ source: { ...record.source, shape: [40, 8] } }),
  },
  { name: 'shape of one dimension', code: FORMAT, bytes: file({ source: { ...record.source, shape: [320] } }) },
  { name: 'unknown scheme', code: FORMAT, bytes: file({ scheme: 'int4' }) },
  { name: 'scheme named like a property', code: FORMAT, bytes: file({ scheme: '__proto__' }) },
  { name: 'unknown layout', code: FORMAT, bytes: file({ source: { ...record.source, layout: 'kkn' } }) },
  { name: 'no source', code: FORMAT, bytes: file({ source: undefined }) },
  { name: 'symmetric as a number', code: FORMAT, bytes: file({ symmetric: 1 }) },
  { name: 'unknown activations', code: FORMAT, bytes: file({ activations: 'per-row' }) },
  {
    name: 'tensor packed and kept',
    code: FORMAT,
    bytes: file({}, { ...parts(), 'a.weight': { dtype: 'U8', shape: [1], data: new Uint8Array(1) } }),
  },
];
