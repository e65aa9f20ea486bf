import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../lib/formats/open.js';
import { readTensor, type ModelSource } from '../lib/formats/source.js';
import {
  FLOAT,
  FLOAT16,
  INT32,
  INT64,
  INT8,
  UINT8,
  externalTensor,
  graphProto,
  message,
  onnxBytes,
  rawTensor,
  typedTensor,
  varint,
  type OnnxTestGraph,
  type ProtoEntry,
} from './support/onnx.js';
import { bytesOf, temporaryFolder, values } from './support/safetensors.js';

function open(graph: OnnxTestGraph | Buffer, folder = temporaryFolder()): ModelSource {
  const path = join(folder, 'model');
  writeFileSync(path, onnxBytes(graph));
  return openModel(path);
}

function tensorBytes(source: ModelSource, name: string): Buffer {
  return Buffer.from(readTensor(source.tensors.get(name)!));
}

describe('tensors of ONNX models', () => {
  const f16 = Uint16Array.of(0x3c00, 0xc000, 0x7bff);
  const cases: [string, Buffer, string, ArrayBufferView][] = [
    ['raw float', rawTensor('t', FLOAT, [2, 3], values(6)), 'F32', values(6)],
    ['float_data', typedTensor('t', FLOAT, [2, 3], 4, values(6)), 'F32', values(6)],
    ['double_data', typedTensor('t', 11, [2], 10, Float64Array.of(1.5, -2)), 'F64', Float64Array.of(1.5, -2)],
    ['raw int8', rawTensor('t', INT8, [3], Int8Array.of(-128, 0, 127)), 'I8', Int8Array.of(-128, 0, 127)],
    ['int8 as int32_data', typedTensor('t', INT8, [3], 5, [-128n, 0, 127]), 'I8', Int8Array.of(-128, 0, 127)],
    ['uint8 as int32_data', typedTensor('t', UINT8, [3], 5, [255, 0, 1]), 'U8', Uint8Array.of(255, 0, 1)],
    ['float16 as int32_data', typedTensor('t', FLOAT16, [3], 5, [...f16]), 'F16', f16],
    ['bfloat16, raw', rawTensor('t', 16, [3], f16), 'BF16', f16],
    ['int32_data', typedTensor('t', INT32, [2], 5, [-1n, 2 ** 31 - 1]), 'I32', Int32Array.of(-1, 2 ** 31 - 1)],
    ['int64_data', typedTensor('t', INT64, [2], 7, [-(2n ** 63n), 5]), 'I64', BigInt64Array.of(-(2n ** 63n), 5n)],
    ['uint64_data', typedTensor('t', 13, [1], 11, [2n ** 64n - 1n]), 'U64', BigUint64Array.of(2n ** 64n - 1n)],
    ['bool', typedTensor('t', 9, [2], 5, [1, 0]), 'BOOL', Uint8Array.of(1, 0)],
    ['float8', rawTensor('t', 17, [2], Uint8Array.of(1, 2)), 'F8_E4M3', Uint8Array.of(1, 2)],
    ['int4, raw', rawTensor('t', 22, [3], Uint8Array.of(0x8f, 0x07)), 'I8', Int8Array.of(-1, -8, 7)],
    ['uint4 as int32_data', typedTensor('t', 21, [3], 5, [0x8f, 0x07]), 'U8', Uint8Array.of(15, 8, 7)],
    ['a scalar', rawTensor('t', FLOAT, [], Float32Array.of(7)), 'F32', Float32Array.of(7)],
    ['nothing', message([1, 0], [2, FLOAT], [8, 't']), 'F32', new Float32Array(0)],
  ];

  it.each(cases)('%s', (_, tensor, dtype, data) => {
    const source = open({ tensors: [tensor] });
    expect(source.tensors.get('t')!.dtype).toBe(dtype);
    expect(tensorBytes(source, 't')).toEqual(bytesOf(data));
    source.close();
  });

  it('typed data in several pieces, packed and one by one', () => {
    const packed = Buffer.concat([varint(300), varint(-1n)]);
    const tensor = message([1, 5], [2, INT32], [8, 't'], [5, packed], [5, 7], [5, varint(8)], [5, -9n]);
    expect(tensorBytes(open({ tensors: [tensor] }), 't')).toEqual(bytesOf(Int32Array.of(300, -1, 7, 8, -9)));
    const floats = message([1, 3], [2, FLOAT], [8, 't'], [4, bytesOf(values(2))], [4, { f32: 0.5 }]);
    expect(tensorBytes(open({ tensors: [floats] }), 't')).toEqual(bytesOf(Float32Array.of(...values(2), 0.5)));
  });

  it('any part of varints and nibbles reads as the same part of the whole, in any order', () => {
    const codes = Array.from({ length: 64 }, (_, i) => BigInt((i * 37) % 256) - 128n);
    const nibbles = Uint8Array.from({ length: 32 }, (_, i) => i * 7);
    const source = open({ tensors: [typedTensor('v', INT8, [64], 5, codes), rawTensor('n', 22, [64], nibbles)] });
    for (const name of ['v', 'n']) {
      const whole = tensorBytes(source, name);
      for (const [from, to] of [
        [40, 48],
        [8, 24],
        [24, 64],
        [0, 8],
      ] as const) {
        const part = new Uint8Array(to - from);
        source.tensors.get(name)!.readInto(part, from);
        expect(Buffer.from(part)).toEqual(whole.subarray(from, to));
      }
    }
  });

  it('Constant nodes: value, value_float, value_floats, value_int, value_ints', () => {
    const constant = (name: string, ...fields: ProtoEntry[]): Buffer =>
      message([2, name], [4, 'Constant'], [5, message(...fields)]);
    const source = open({
      nodes: [
        constant('t', [1, 'value'], [5, rawTensor('ignored', FLOAT, [2], values(2))]),
        constant('f', [1, 'value_float'], [2, { f32: 1.5 }]),
        constant('fs', [1, 'value_floats'], [7, { f32: 1 }], [7, bytesOf(Float32Array.of(2, 3))]),
        constant('i', [1, 'value_int'], [3, -2n]),
        constant('is', [1, 'value_ints'], [8, 5], [8, Buffer.concat([varint(6), varint(-7n)])]),
        constant('s', [1, 'value_string'], [4, 'text']),
      ],
    });
    const found = [...source.tensors.values()].map(({ name, dtype, shape }) => [name, dtype, shape]);
    expect(found).toEqual([
      ['t', 'F32', [2]],
      ['f', 'F32', []],
      ['fs', 'F32', [3]],
      ['i', 'I64', []],
      ['is', 'I64', [3]],
    ]);
    expect(tensorBytes(source, 'fs')).toEqual(bytesOf(Float32Array.of(1, 2, 3)));
    expect(tensorBytes(source, 'i')).toEqual(bytesOf(BigInt64Array.of(-2n)));
    expect(tensorBytes(source, 'is')).toEqual(bytesOf(BigInt64Array.of(5n, 6n, -7n)));
  });

  it('tensors of graphs in graphs, named after their graph where names collide', () => {
    const inner = graphProto({
      tensors: [rawTensor('w', FLOAT, [1], Float32Array.of(2)), rawTensor('v', FLOAT, [1], Float32Array.of(3))],
    });
    const source = open({
      nodes: [
        {
          op: 'If',
          name: 'choose',
          in: ['c'],
          out: ['y'],
          attributes: { then_branch: { graph: inner }, else_branch: { graph: inner } },
        },
      ],
      tensors: [rawTensor('w', FLOAT, [1], Float32Array.of(1))],
    });
    expect([...source.tensors.keys()]).toEqual([
      'w',
      'choose/then_branch/w',
      'v',
      'choose/else_branch/w',
      'choose/else_branch/v',
    ]);
    expect(tensorBytes(source, 'choose/then_branch/w')).toEqual(bytesOf(Float32Array.of(2)));
  });

  it('metadata, opsets and unknown fields do not disturb; string tensors are counted', () => {
    const path = join(temporaryFolder(), 'model');
    const strings = message([1, 1], [2, 8], [6, 'text'], [8, 's']);
    const more = [
      [14, message([1, 'author'], [2, 'me'])],
      [999, 'unknown'],
      [1000, 7],
    ] as const;
    writeFileSync(path, onnxBytes({ tensors: [strings, rawTensor('t', FLOAT, [1], values(1))] }, 17, ...more));
    const source = openModel(path);
    expect(source.format).toBe('onnx');
    expect([...source.tensors.keys()]).toEqual(['t']);
    expect(Object.fromEntries(source.metadata)).toEqual({
      'onnx.producer_name': 'test',
      'onnx.author': 'me',
      'onnx.omitted': '1 string tensors',
    });
  });
});

describe('external data of ONNX models', () => {
  const tensor = (entries: Record<string, string>): OnnxTestGraph => ({
    tensors: [
      externalTensor('t', FLOAT, [4], entries),
      externalTensor('u', FLOAT, [2], { location: 'data', length: '8' }),
    ],
  });

  it('is read by location, offset and length', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'sub', 'weights.bin'), bytesOf(values(6)));
    writeFileSync(join(folder, 'data'), bytesOf(values(2)));
    const source = open(tensor({ location: 'sub/weights.bin', offset: '8', length: '16', checksum: 'x' }), folder);
    expect(tensorBytes(source, 't')).toEqual(bytesOf(values(6).subarray(2)));
    expect(tensorBytes(source, 'u')).toEqual(bytesOf(values(2)));
    expect(source.files).toHaveLength(3);
    source.close();
  });

  it.runIf(process.platform !== 'win32')(
    'may be a link inside the folder, and where the model itself is one, as in a cache of downloads',
    () => {
      const folder = temporaryFolder();
      const [blobs, snapshot] = [join(folder, 'blobs'), join(folder, 'snapshot')];
      mkdirSync(blobs);
      mkdirSync(snapshot);
      writeFileSync(join(blobs, 'a'), onnxBytes(tensor({ location: 'data' })));
      writeFileSync(join(blobs, 'b'), bytesOf(values(4)));
      symlinkSync('../blobs/a', join(snapshot, 'model.onnx'));
      symlinkSync('../blobs/b', join(snapshot, 'data'));
      const source = openModel(snapshot);
      expect(tensorBytes(source, 't')).toEqual(readFileSync(join(blobs, 'b')));
      source.close();
    },
  );

  it.runIf(process.platform !== 'win32')('may not be a link that leads out of the folder', () => {
    const [folder, elsewhere] = [temporaryFolder(), temporaryFolder()];
    writeFileSync(join(elsewhere, 'secret'), bytesOf(values(4)));
    symlinkSync(join(elsewhere, 'secret'), join(folder, 'data'));
    expect(() => open(tensor({ location: 'data' }), folder)).toThrow(
      expect.objectContaining({ code: 'ERR_QGEMM_PATH', message: expect.stringContaining('by a link') as string }),
    );
    symlinkSync(elsewhere, join(folder, 'sub'));
    expect(() => open(tensor({ location: 'sub/secret' }), folder)).toThrow(
      expect.objectContaining({ code: 'ERR_QGEMM_PATH' }),
    );
  });
});
