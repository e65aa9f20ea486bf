import {
  FLOAT,
  INT32,
  INT8,
  attribute,
  externalTensor,
  graphProto,
  message,
  nodeProto,
  onnxBytes,
  rawTensor,
  typedTensor,
  varint,
  type OnnxTestGraph,
} from '../support/onnx.js';
import { bytesOf, values } from '../support/safetensors.js';
import type { FolderCase } from './folder-cases.js';

const FORMAT = 'ERR_QGEMM_FORMAT';
const LIMIT = 'ERR_QGEMM_LIMIT';
const PATH = 'ERR_QGEMM_PATH';
const DTYPE = 'ERR_QGEMM_DTYPE';
const IO = 'ERR_QGEMM_IO';

const file = (name: string, code: string, bytes: Uint8Array): FolderCase => ({
  name,
  code,
  files: { 'model.onnx': bytes, data: bytesOf(values(4)) },
});
const graph = (name: string, code: string, content: OnnxTestGraph | Buffer): FolderCase =>
  file(name, code, onnxBytes(content));
const tensor = (name: string, code: string, ...bytes: Buffer[]): FolderCase => graph(name, code, { tensors: bytes });
const external = (name: string, code: string, entries: Record<string, string>): FolderCase =>
  tensor(name, code, externalTensor('t', FLOAT, [4], entries));

const sound = onnxBytes({ tensors: [rawTensor('t', FLOAT, [4], values(4))] });
/** ir_version, then these bytes. */
const after = (...bytes: number[]): Buffer => Buffer.from([0x08, 0x08, ...bytes]);

function nested(depth: number): Buffer {
  let inner = graphProto({});
  for (let i = 0; i < depth; ++i) {
    inner = message([1, message([4, 'If'], [5, attribute('then_branch', { graph: inner })])]);
  }
  return inner;
}

const wire: FolderCase[] = [
  file('file cut off in a tensor', FORMAT, sound.subarray(0, sound.length - 20)),
  file('graph that is longer than the file', FORMAT, after(0x3a, 0xff, 0xff, 0xff, 0xff, 0x07)),
  file('length of 2^63', FORMAT, after(0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)),
  file('varint of eleven bytes', FORMAT, after(0x28, ...Array<number>(10).fill(0x80), 0)),
  file('varint of 70 bits', FORMAT, after(0x28, ...Array<number>(9).fill(0xff), 0x7f)),
  file('varint that the end of the file cuts off', FORMAT, after(0x28, 0x80)),
  file('field number 0', FORMAT, Buffer.concat([sound, Buffer.from([0x02, 0x01, 0x01])])),
  file('group', FORMAT, Buffer.concat([sound, Buffer.from([0x0b, 0x0c])])),
  file('unknown wire type', FORMAT, Buffer.concat([sound, Buffer.from([0x0f])])),
  file('field number beyond 2^29', FORMAT, Buffer.concat([sound, varint(2n ** 40n), varint(0)])),
  file('graph that is a number', FORMAT, message([1, 8], [2, 'test'], [7, 5])),
  file('two graphs', FORMAT, onnxBytes({}, 17, [7, graphProto({})])),
  file('no graph', FORMAT, message([1, 8], [2, 'test'])),
  file('3 million empty fields', LIMIT, Buffer.concat([sound, Buffer.alloc(6_000_002, Buffer.from([0x28, 0x00]))])),
  graph('node that is a number', FORMAT, message([1, 5])),
  graph('tensor that is a number', FORMAT, message([5, 5])),
  graph('17 graphs in each other', LIMIT, nested(17)),
  graph('3000 graphs in each other', LIMIT, nested(3000)),
  graph('200,001 empty nodes', LIMIT, Buffer.alloc(400_002, Buffer.from([0x0a, 0x00]))),
  graph('name of 70,000 bytes', LIMIT, { tensors: [rawTensor('x'.repeat(70_000), FLOAT, [4], values(4))] }),
  graph('name that is not UTF-8', FORMAT, message([5, message([8, Buffer.from([0xff, 0xfe])])])),
  graph('operator that is not UTF-8', FORMAT, message([1, message([4, Buffer.from([0xc0, 0x80])])])),
  graph('attribute twice', FORMAT, message([1, message([5, attribute('axis', 1)], [5, attribute('axis', 0)])])),
  graph('float attribute of 8 bytes', FORMAT, message([1, message([5, Buffer.from([0x11, 0, 0, 0, 0, 0, 0, 0, 0])])])),
];

const tensors: FolderCase[] = [
  tensor('tensor twice', FORMAT, rawTensor('t', FLOAT, [1], values(1)), rawTensor('t', FLOAT, [1], values(1))),
  tensor('tensor without a name', FORMAT, rawTensor('', FLOAT, [1], values(1))),
  tensor('too few bytes', FORMAT, rawTensor('t', FLOAT, [4], values(3))),
  tensor('too many bytes', FORMAT, rawTensor('t', FLOAT, [4], values(5))),
  tensor('no bytes', FORMAT, message([1, 4], [2, FLOAT], [8, 't'])),
  tensor('negative dimension', FORMAT, message([1, -4n], [2, FLOAT], [8, 't'], [9, bytesOf(values(4))])),
  tensor(
    'negative dimensions that make a product',
    FORMAT,
    message([1, -2n], [1, -2n], [2, FLOAT], [8, 't'], [9, bytesOf(values(4))]),
  ),
  tensor('dimension of 2^63 - 1', FORMAT, rawTensor('t', FLOAT, [2 ** 62], values(4))),
  tensor('shape of 2^60 elements', LIMIT, rawTensor('t', FLOAT, [2 ** 30, 2 ** 30], values(4))),
  tensor('65 dimensions', LIMIT, rawTensor('t', FLOAT, Array<number>(65).fill(1), values(1))),
  tensor('dimensions as floats', FORMAT, message([1, { f32: 4 }], [2, FLOAT], [8, 't'], [9, bytesOf(values(4))])),
  tensor(
    'raw_data twice',
    FORMAT,
    message([1, 1], [2, FLOAT], [8, 't'], [9, bytesOf(values(1))], [9, bytesOf(values(1))]),
  ),
  tensor(
    'raw and typed data',
    FORMAT,
    message([1, 1], [2, FLOAT], [8, 't'], [9, bytesOf(values(1))], [4, bytesOf(values(1))]),
  ),
  tensor('two kinds of typed data', FORMAT, message([1, 1], [2, FLOAT], [8, 't'], [4, bytesOf(values(1))], [5, 1])),
  tensor('floats in the field of integers', FORMAT, typedTensor('t', FLOAT, [1], 5, [1])),
  tensor('typed data of the wrong wire type', FORMAT, message([1, 1], [2, FLOAT], [8, 't'], [4, 1])),
  tensor('fewer varints than values', FORMAT, typedTensor('t', INT8, [4], 5, [1, 300, 300])),
  tensor('more varints than values', FORMAT, typedTensor('t', INT8, [4], 5, [1, 2, 3, 4, 5])),
  tensor('varints beyond ten bytes', FORMAT, message([1, 2], [2, INT32], [8, 't'], [5, Buffer.alloc(20, 0x80)])),
  tensor('2^40 values in 8 bytes', FORMAT, typedTensor('t', INT8, [2 ** 40], 5, [1, 2, 3, 4, 5, 6, 7, 8])),
  tensor(
    '5000 pieces of typed data',
    LIMIT,
    message([2, FLOAT], [1, 5000], ...Array.from({ length: 5000 }, () => [4, { f32: 1 }] as const), [8, 't']),
  ),
  tensor('data type 0', DTYPE, rawTensor('t', 0, [1], values(1))),
  tensor('complex128', DTYPE, rawTensor('t', 15, [1], new Uint8Array(16))),
  tensor('data type 99', DTYPE, rawTensor('t', 99, [1], values(1))),
  graph('sparse initializer', DTYPE, message([15, message([3, 4])])),
  graph(
    'sparse constant',
    DTYPE,
    message([1, message([2, 'c'], [4, 'Constant'], [5, message([1, 'sparse_value'], [22, message()])])]),
  ),
  graph('constant that an initializer has the name of', FORMAT, {
    nodes: [nodeProto({ op: 'Constant', in: [], out: ['t'], attributes: { value_int: 1 } })],
    tensors: [rawTensor('t', FLOAT, [1], values(1))],
  }),
];

const outside: FolderCase[] = [
  external('external data without a location', FORMAT, { offset: '0' }),
  external('external data by absolute path', PATH, { location: '/etc/passwd' }),
  external('external data outside the folder', PATH, { location: '../data' }),
  external('external data outside by a detour', PATH, { location: 'x/../../data' }),
  external('external data with backslashes', PATH, { location: '..\\data' }),
  external('external data on a drive', PATH, { location: 'C:data' }),
  external('external data by URL', PATH, { location: 'file:///etc/passwd' }),
  external('external data with a zero byte', PATH, { location: 'data\0' }),
  external('external data that is missing', IO, { location: 'nothing' }),
  external('external data that is the folder', PATH, { location: '.' }),
  external('external data in memory', IO, { location: '*/_ORT_MEM_ADDR_/*', offset: '4096', length: '16' }),
  external('offset beyond the file', FORMAT, { location: 'data', offset: '8', length: '16' }),
  external('offset beyond the file, without a length', FORMAT, { location: 'data', offset: '100' }),
  external('offset of 2^64', FORMAT, { location: 'data', offset: '18446744073709551616' }),
  external('offset that is negative', FORMAT, { location: 'data', offset: '-16' }),
  external('offset in hexadecimal', FORMAT, { location: 'data', offset: '0x0' }),
  external('length that the shape does not have', FORMAT, { location: 'data', length: '12' }),
  external('length that overflows with the offset', FORMAT, {
    location: 'data',
    offset: '9007199254740991',
    length: '16',
  }),
  tensor(
    'location twice',
    FORMAT,
    message(
      [1, 4],
      [2, FLOAT],
      [8, 't'],
      [13, message([1, 'location'], [2, 'data'])],
      [13, message([1, 'location'], [2, 'x'])],
      [14, 1],
    ),
  ),
];

export const onnxCases: FolderCase[] = [...wire, ...tensors, ...outside];
