import { rawSafetensors } from '../support/safetensors.js';

/** A malformed file, what is wrong with it, and the code that it must be refused with. */
export interface HostileCase {
  name: string;
  code: string;
  bytes: Buffer;
}

const entry = (dtype: string, shape: unknown, offsets: unknown): string =>
  `{"dtype":${JSON.stringify(dtype)},"shape":${JSON.stringify(shape)},"data_offsets":${JSON.stringify(offsets)}}`;
const good = entry('F32', [1], [0, 4]);
const four = new Uint8Array(4);
const header = (body: string, data: Uint8Array = four): Buffer => rawSafetensors(body, data);

const FORMAT = 'ERR_QGEMM_FORMAT';
const LIMIT = 'ERR_QGEMM_LIMIT';

/** One case for each way in which a header can lie. */
export const safetensorsCases: HostileCase[] = [
  { name: 'empty file', code: FORMAT, bytes: Buffer.alloc(0) },
  { name: 'fewer than 8 bytes', code: FORMAT, bytes: Buffer.from([2, 0, 0]) },
  { name: 'header length only', code: FORMAT, bytes: rawSafetensors('') },
  { name: 'header longer than the file', code: FORMAT, bytes: rawSafetensors('{}', undefined, 100n) },
  { name: 'header length 2^64 - 1', code: LIMIT, bytes: rawSafetensors('{}', undefined, 2n ** 64n - 1n) },
  { name: 'header length 2^63', code: LIMIT, bytes: rawSafetensors('{}', undefined, 2n ** 63n) },
  { name: 'header just over the cap', code: LIMIT, bytes: rawSafetensors('{}', undefined, 10n * 2n ** 20n + 1n) },
  { name: 'header that is no JSON', code: FORMAT, bytes: header('{x}') },
  { name: 'header that is an array', code: FORMAT, bytes: header('[]') },
  { name: 'header that starts with a space', code: FORMAT, bytes: header(` {"a":${good}}`) },
  { name: 'header that starts with a byte order mark', code: FORMAT, bytes: header(`\ufeff{"a":${good}}`) },
  { name: 'header cut off', code: FORMAT, bytes: header(`{"a":${good}`) },
  { name: 'header followed by zero bytes', code: FORMAT, bytes: header(`{"a":${good}}\0\0`) },
  { name: 'header followed by another object', code: FORMAT, bytes: header(`{"a":${good}}{}`) },
  {
    name: 'header that is not UTF-8',
    code: FORMAT,
    bytes: rawSafetensors(Buffer.from(`{"a\xff":${good}}`, 'latin1'), four),
  },
  { name: 'overlong UTF-8', code: FORMAT, bytes: rawSafetensors(Buffer.from(`{"a\xc0\xaf":${good}}`, 'latin1'), four) },
  { name: 'lone surrogate in a name', code: FORMAT, bytes: header(`{"a\\ud800":${good}}`) },
  { name: 'control character in a name', code: FORMAT, bytes: header(`{"a\n":${good}}`) },
  { name: 'bad escape in a name', code: FORMAT, bytes: header(`{"a\\x":${good}}`) },
  { name: 'trailing comma', code: FORMAT, bytes: header(`{"a":${good},}`) },
  { name: 'comment', code: FORMAT, bytes: header(`{"a":${good}/**/}`) },
  { name: 'name twice', code: FORMAT, bytes: header(`{"a":${good},"a":${good}}`) },
  { name: 'name twice, once escaped', code: FORMAT, bytes: header(`{"a":${good},"\\u0061":${good}}`) },
  { name: '__proto__ twice', code: FORMAT, bytes: header(`{"__proto__":${good},"__proto__":${good}}`) },
  {
    name: 'key of a tensor twice',
    code: FORMAT,
    bytes: header('{"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,4]}}'),
  },
  { name: 'nesting 100,000 deep', code: LIMIT, bytes: header(`{"a":${'['.repeat(100_000)}}`) },
  { name: 'nesting 100,000 objects deep', code: LIMIT, bytes: header('{"a":'.repeat(100_000)) },
  { name: 'tensor that is a string', code: FORMAT, bytes: header('{"a":"F32"}') },
  { name: 'tensor that is null', code: FORMAT, bytes: header('{"a":null}') },
  { name: 'tensor that is an array', code: FORMAT, bytes: header('{"a":[]}') },
  { name: 'no dtype', code: FORMAT, bytes: header('{"a":{"shape":[1],"data_offsets":[0,4]}}') },
  { name: 'unknown dtype', code: FORMAT, bytes: header(`{"a":${entry('F33', [1], [0, 4])}}`) },
  { name: 'dtype named like a property', code: FORMAT, bytes: header(`{"a":${entry('constructor', [1], [0, 4])}}`) },
  { name: 'dtype in lower case', code: FORMAT, bytes: header(`{"a":${entry('f32', [1], [0, 4])}}`) },
  { name: 'no shape', code: FORMAT, bytes: header('{"a":{"dtype":"F32","data_offsets":[0,4]}}') },
  { name: 'shape that is a number', code: FORMAT, bytes: header(`{"a":${entry('F32', 1, [0, 4])}}`) },
  { name: 'negative dimension', code: FORMAT, bytes: header(`{"a":${entry('F32', [-1], [0, 4])}}`) },
  { name: 'two negative dimensions', code: FORMAT, bytes: header(`{"a":${entry('F32', [-1, -1], [0, 4])}}`) },
  { name: 'fractional dimension', code: FORMAT, bytes: header(`{"a":${entry('F32', [0.5, 2], [0, 4])}}`) },
  { name: 'dimension 1e0', code: FORMAT, bytes: header('{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}') },
  {
    name: 'dimension 1e400',
    code: FORMAT,
    bytes: header('{"a":{"dtype":"F32","shape":[1e400],"data_offsets":[0,4]}}'),
  },
  {
    name: 'dimension -0',
    code: FORMAT,
    bytes: header('{"a":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}', new Uint8Array(0)),
  },
  {
    name: 'dimension 2^53 + 1',
    code: FORMAT,
    bytes: header('{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]}}'),
  },
  {
    name: 'dimension with a leading zero',
    code: FORMAT,
    bytes: header('{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}'),
  },
  { name: 'dimension as a string', code: FORMAT, bytes: header(`{"a":${entry('F32', ['1'], [0, 4])}}`) },
  { name: 'nested shape', code: FORMAT, bytes: header(`{"a":${entry('F32', [[1]], [0, 4])}}`) },
  {
    name: 'shape whose product overflows to 0',
    code: FORMAT,
    bytes: header(`{"a":${entry('F32', [2 ** 32, 2 ** 32], [0, 0])}}`, new Uint8Array(0)),
  },
  {
    name: 'shape whose product is infinite',
    code: FORMAT,
    bytes: header(`{"a":${entry('F32', Array(30).fill(2 ** 50), [0, 4])}}`),
  },
  { name: '65 dimensions', code: LIMIT, bytes: header(`{"a":${entry('F32', Array(65).fill(1), [0, 4])}}`) },
  { name: 'one offset', code: FORMAT, bytes: header(`{"a":${entry('F32', [1], [4])}}`) },
  { name: 'three offsets', code: FORMAT, bytes: header(`{"a":${entry('F32', [1], [0, 4, 8])}}`) },
  { name: 'begin after end', code: FORMAT, bytes: header(`{"a":${entry('F32', [1], [4, 0])}}`) },
  {
    name: 'more bytes than the shape',
    code: FORMAT,
    bytes: header(`{"a":${entry('F32', [1], [0, 8])}}`, new Uint8Array(8)),
  },
  { name: 'fewer bytes than the shape', code: FORMAT, bytes: header(`{"a":${entry('F32', [2], [0, 4])}}`) },
  {
    name: 'elements that do not fill a byte',
    code: FORMAT,
    bytes: header(`{"a":${entry('F4', [1], [0, 1])}}`, new Uint8Array(1)),
  },
  { name: 'data beyond the file', code: FORMAT, bytes: header(`{"a":${entry('F32', [2], [0, 8])}}`) },
  { name: 'offsets near 2^53', code: FORMAT, bytes: header(`{"a":${entry('F32', [1], [2 ** 53 - 5, 2 ** 53 - 1])}}`) },
  { name: 'bytes after the last tensor', code: FORMAT, bytes: header(`{"a":${good}}`, new Uint8Array(5)) },
  { name: 'data without tensors', code: FORMAT, bytes: header('{}') },
  {
    name: 'hole between tensors',
    code: FORMAT,
    bytes: header(`{"a":${good},"b":${entry('F32', [1], [8, 12])}}`, new Uint8Array(12)),
  },
  {
    name: 'hole before the first tensor',
    code: FORMAT,
    bytes: header(`{"a":${entry('F32', [1], [4, 8])}}`, new Uint8Array(8)),
  },
  {
    name: 'overlapping tensors',
    code: FORMAT,
    bytes: header(`{"a":${entry('F32', [2], [0, 8])},"b":${entry('F32', [2], [4, 12])}}`, new Uint8Array(12)),
  },
  { name: 'two tensors in the same place', code: FORMAT, bytes: header(`{"a":${good},"b":${good}}`) },
  { name: 'metadata that is a string', code: FORMAT, bytes: header(`{"__metadata__":"x","a":${good}}`) },
  { name: 'metadata with a number', code: FORMAT, bytes: header(`{"__metadata__":{"x":1},"a":${good}}`) },
  { name: 'metadata with an object', code: FORMAT, bytes: header(`{"__metadata__":{"x":{}},"a":${good}}`) },
];
