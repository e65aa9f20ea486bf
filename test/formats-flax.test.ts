import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFlax } from '../lib/formats/flax/reader.js';
import { openModel } from '../lib/formats/open.js';
import { readTensor, type ModelSource } from '../lib/formats/source.js';
import { convert, inspect, loadModel, QgemmError } from '../lib/index.js';
import { array, binary, chunked, ext, ndarray, numbered, pack, text, type Pack } from './support/flax.js';
import { runs } from './support/runs.js';
import { bytesOf, f32, safetensorsBytes, temporaryFolder, values } from './support/safetensors.js';
import { writeFiles } from './support/tfjs.js';

function open(root: Pack, name = 'checkpoint'): ModelSource {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, pack(root));
  return openModel(path);
}

const read = (model: ModelSource, name: string): Buffer => Buffer.from(readTensor(model.tensors.get(name)!));
const dense = (k: number, n: number, seed = 1): Pack => ({
  kernel: ndarray([k, n], values(k * n, seed)),
  bias: ndarray([n], values(n, seed)),
});

/** A key, and all of an array of so many float32 values that comes before its bytes. */
function sparse(key: string, elements: number): Buffer {
  const [none, bytes] = [new Uint8Array(0), 4 * elements];
  const content = Buffer.concat([Buffer.of(0x93), pack([elements]), text('float32'), binary(none, bytes)]);
  return Buffer.concat([text(key), ext(1, content, content.length + bytes)]);
}

describe('Flax checkpoints', () => {
  it('arrays are named by the keys on the way to them', () => {
    const model = open({
      params: { dense: dense(2, 3), layers: { '0': dense(3, 3) } },
      batch_stats: { norm: { mean: ndarray([3], values(3)) } },
      list: [ndarray([1], values(1)), [ndarray([], values(1))]],
      __proto__x: ndarray([2, 0], values(0)),
    });
    expect(model.format).toBe('flax');
    expect([...model.tensors.values()].map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      ['params/dense/kernel', 'F32', [2, 3]],
      ['params/dense/bias', 'F32', [3]],
      ['params/layers/0/kernel', 'F32', [3, 3]],
      ['params/layers/0/bias', 'F32', [3]],
      ['batch_stats/norm/mean', 'F32', [3]],
      ['list/0', 'F32', [1]],
      ['list/1/0', 'F32', []],
      ['__proto__x', 'F32', [2, 0]],
    ]);
    expect(read(model, 'params/dense/kernel')).toEqual(bytesOf(values(6)));
    expect(read(model, 'list/1/0')).toEqual(bytesOf(values(1)));
    expect(read(model, '__proto__x')).toHaveLength(0);
  });

  it('a key "__proto__" is a name like others', () => {
    const root = pack(JSON.parse('{"__proto__": {"toString": 1}, "w": 2}') as Pack);
    const model = open(Buffer.concat([root.subarray(0, -3), text('w'), ndarray([1], values(1))]));
    expect([...model.tensors.keys(), ...model.metadata]).toEqual(['w', ['flax.__proto__/toString', '1']]);
    expect({}.toString()).toBe('[object Object]');
  });

  it.each([
    ['bool', 'BOOL', 1],
    ['int8', 'I8', 1],
    ['uint8', 'U8', 1],
    ['int16', 'I16', 2],
    ['uint16', 'U16', 2],
    ['int32', 'I32', 4],
    ['uint32', 'U32', 4],
    ['int64', 'I64', 8],
    ['uint64', 'U64', 8],
    ['float16', 'F16', 2],
    ['bfloat16', 'BF16', 2],
    ['float32', 'F32', 4],
    ['float64', 'F64', 8],
    ['complex64', 'C64', 8],
    ['float8_e4m3fn', 'F8_E4M3', 1],
    ['float8_e5m2', 'F8_E5M2', 1],
  ])('%s is %s, as an array and as a scalar', (type, dtype, size) => {
    const data = Uint8Array.from({ length: 3 * size }, (_, i) => i + 1);
    const scalar = ndarray([], data.subarray(0, size), type, 3);
    const model = open({ array: ndarray([3], data, type), scalar });
    expect([...model.tensors.values()]).toMatchObject([
      { dtype, shape: [3] },
      { dtype, shape: [] },
    ]);
    expect(read(model, 'array')).toEqual(Buffer.from(data));
    expect(read(model, 'scalar')).toEqual(Buffer.from(data.subarray(0, size)));
  });

  it('chunks of a large array are one tensor, read from any place on', () => {
    const data = values(40);
    const chunks = [0, 16, 32].map((at) => ndarray([Math.min(16, 40 - at)], data.subarray(at, at + 16)));
    const model = open({ a: chunked([5, 8], chunks), b: ndarray([1], values(1)) });
    const tensor = model.tensors.get('a')!;
    expect([tensor.shape, tensor.byteLength]).toEqual([[5, 8], 160]);
    expect(read(model, 'a')).toEqual(bytesOf(data));
    expect(read(model, 'b')).toEqual(bytesOf(values(1)));
    for (let from = 0; from < 160; from += 8) {
      for (let to = from; to <= 160; to += 8) {
        const part = new Uint8Array(to - from);
        tensor.readInto(part, from);
        expect(Buffer.from(part).equals(bytesOf(data).subarray(from, to))).toBe(true);
      }
    }
  });

  it('numbers and texts become metadata, the optimizer is left out', () => {
    const moments = { mu: { dense: dense(2, 2) }, nu: { dense: dense(2, 2) } };
    const model = open({
      step: 1000,
      loss: 0.5,
      big: 2 ** 60,
      negative: -7,
      done: false,
      nothing: null,
      name: 'x',
      long: 'x'.repeat(1001),
      z: ext(2, array([0.5, -1.5])),
      opt_state: { '0': moments, count: 3 },
      params: { dense: dense(2, 2), opt_state: ndarray([1], values(1)) },
    });
    expect([...model.tensors.keys()]).toEqual(['params/dense/kernel', 'params/dense/bias', 'params/opt_state']);
    expect(Object.fromEntries(model.metadata)).toEqual({
      'flax.step': '1000',
      'flax.loss': '0.5',
      'flax.big': String(2n ** 60n),
      'flax.negative': '-7',
      'flax.done': 'false',
      'flax.name': 'x',
      'flax.z': '0.5 -1.5',
      'flax.left_out': 'opt_state',
    });
  });

  it('kernels are [K, N], with the bias beside them; FlaxConv1D has [N, K]', () => {
    const array = (...shape: number[]): Pack => ndarray(shape, values(shape.reduce((a, b) => a * b, 1)));
    const gpt = open({
      dense: { kernel: array(4, 6), bias: array(6) },
      embeddings_project: { kernel: array(4, 6) },
      wte: { embedding: array(9, 4) },
      attention: { query: { kernel: array(4, 2, 3), bias: array(2, 3) } },
      h: { c_attn: { kernel: array(12, 4), bias: array(12) }, c_proj: { kernel: array(4, 4), bias: array(4) } },
      half: { kernel: ndarray([2, 4], new Uint8Array(16), 'float16') },
      integers: { kernel: ndarray([2, 4], new Uint8Array(8), 'int8') },
    });
    expect(Object.fromEntries(gpt.matmuls)).toEqual({
      'dense/kernel': { n: 6, k: 4, layout: 'kn', bias: 'dense/bias' },
      'embeddings_project/kernel': { n: 6, k: 4, layout: 'kn' },
      'h/c_attn/kernel': { n: 12, k: 4, layout: 'nk', bias: 'h/c_attn/bias' },
      'h/c_proj/kernel': { n: 4, k: 4, layout: 'nk', bias: 'h/c_proj/bias' },
      'half/kernel': { n: 4, k: 2, layout: 'kn' },
    });
    expect(gpt.asMatmul('wte/embedding')).toEqual({ n: 9, k: 4, layout: 'nk' });
    expect(gpt.asMatmul('attention/query/kernel')).toBeUndefined();
    expect(gpt.asMatmul('dense/bias')).toBeUndefined();
    const neo = open({ mlp: { c_fc: { kernel: array(4, 8), bias: array(8) }, c_proj: { kernel: array(4, 4) } } });
    expect([...neo.matmuls.values()].map(({ layout }) => layout)).toEqual(['kn', 'kn']);
  });

  it('is known by its content: also where a byte is that of a safetensors file, and the other way round', () => {
    // "{" is the ninth byte of both.
    expect(open({ a: ndarray([123], values(123)) }, 'x.safetensors').format).toBe('flax');
    const header = JSON.stringify({ a: { dtype: 'F32', shape: [0], data_offsets: [0, 0] } });
    const bytes = safetensorsBytes({ a: f32([0]) });
    const padded = Buffer.concat([bytes, Buffer.alloc(0xa181 - header.length, ' ')]);
    padded.writeUInt32LE(0xa181);
    const path = join(temporaryFolder(), 'flax_model.msgpack');
    writeFileSync(path, padded);
    expect(openModel(path).format).toBe('safetensors');
  });

  it('maps of 16 and of 65,536 pairs begin with other bytes', () => {
    for (const head of [Buffer.of(0xde, 0, 1), Buffer.of(0xdf, 0, 0, 0, 1)]) {
      const model = open(Buffer.concat([head, text('weight'), ndarray([2], values(2))]));
      expect(read(model, 'weight')).toEqual(bytesOf(values(2)));
    }
  });

  it('the structure is walked by small ranges, whatever the arrays have: 40 of 1 GB', () => {
    const marks = Array.from({ length: 40 }, (_, i) => sparse(`layer_${i}`, 2 ** 28));
    const head = Buffer.of(0xde, 0, 40);
    const size = head.length + marks.reduce((sum, mark) => sum + mark.length + 2 ** 30, 0);
    let bytesRead = 0;
    const readInto = (target: Uint8Array, position: number): void => {
      bytesRead += target.length;
      target.fill(0);
      let start = 0;
      for (const [i, part] of [head, ...marks].entries()) {
        const from = Math.max(position, start);
        const to = Math.min(position + target.length, start + part.length);
        if (from < to) target.set(part.subarray(from - start, to - start), from - position);
        start += part.length + (i === 0 ? 0 : 2 ** 30);
      }
    };
    const { tensors } = readFlax({ path: 'sparse', size, readInto });
    expect(bytesRead).toBeLessThan(41 * 2 ** 14);
    expect([tensors.size, tensors.get('layer_39')!.byteLength]).toEqual([40, 2 ** 30]);
    const last = new Uint8Array(8);
    tensors.get('layer_38')!.readInto(last, 2 ** 30 - 8);
    expect([...last]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('converts, from a folder too, to a file that multiplies', async () => {
    const folder = temporaryFolder();
    const input = join(folder, 'model');
    mkdirSync(input);
    writeFileSync(
      join(input, 'flax_model.msgpack'),
      pack({ fc: dense(2, 3), norm: { scale: ndarray([3], values(3)) } }),
    );
    expect(inspect(input).format).toBe('flax');
    const output = join(folder, 'out.safetensors');
    expect(await convert(input, output, { scheme: 'float32' })).toMatchObject({ packed: 1, kept: 1 });
    using model = loadModel(output);
    const [w, b] = [values(6), values(3)];
    const y = model.linear('fc/kernel').forward(Float32Array.of(0, 1));
    expect([...y]).toEqual([0, 1, 2].map((n) => Math.fround(w[3 + n]! + b[n]!)));
  });

  it('random changes give a QgemmError or tensors that can be read, never a crash', () => {
    const path = join(temporaryFolder(), 'model');
    const sound = pack({
      params: { a: dense(2, 3), list: [ndarray([1], values(1))] },
      big: chunked([2, 2], [ndarray([3], values(3)), ndarray([1], values(1))]),
      step: ndarray([], values(1), 'float32', 3),
      z: ext(2, array([0.5, 1.5])),
      n: numbered([1, 2 ** 40, 'x']),
    });
    const byte = fc.oneof(fc.constantFrom(0, 1, 0x81, 0x92, 0xa1, 0xc1, 0xc6, 0xc7, 0xdd, 0xdf, 0xff), fc.nat(255));
    const change = fc.tuple(fc.nat(sound.length - 1), fc.nat(2), fc.array(byte, { maxLength: 3 }));
    let opened = 0;
    const property = fc.property(fc.array(change, { maxLength: 4 }), (changes) => {
      let bytes: Buffer = sound;
      for (const [at, removed, inserted] of changes) {
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(inserted), bytes.subarray(at + removed)]);
      }
      writeFileSync(path, bytes);
      try {
        const model = openModel(path);
        for (const tensor of model.tensors.values()) expect(readTensor(tensor)).toHaveLength(tensor.byteLength);
        model.close();
        opened += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(QgemmError);
      }
    });
    fc.assert(property, { numRuns: runs(500), examples: [[[]]] });
    expect(opened).toBeGreaterThan(0);
  });
});

describe('Flax checkpoints in several files', () => {
  const index = (map: object): string => JSON.stringify({ metadata: { total_size: 0 }, weight_map: map });
  const parts = {
    'one.msgpack': pack({ params: { a: { kernel: ndarray([2, 3], values(6)) } } }),
    'two.msgpack': pack({ params: { a: { bias: ndarray([3], values(3)) } } }),
  };
  const all = { 'params/a/kernel': 'one.msgpack', 'params/a/bias': 'two.msgpack' };

  it('are one model, found in its folder', () => {
    const folder = temporaryFolder();
    writeFiles(folder, { 'flax_model.msgpack.index.json': index(all), ...parts });
    const model = openModel(folder);
    expect([model.format, model.files.length]).toEqual(['flax-sharded', 3]);
    expect([...model.matmuls]).toEqual([['params/a/kernel', { n: 3, k: 2, layout: 'kn', bias: 'params/a/bias' }]]);
    expect(read(model, 'params/a/bias')).toEqual(bytesOf(values(3)));
  });

  it('are all of one format', () => {
    const path = writeFiles(temporaryFolder(), {
      'index.json': index({ ...all, b: 'b.safetensors' }),
      ...parts,
      'b.safetensors': safetensorsBytes({ b: f32([1]) }),
    });
    expect(() => openModel(path)).toThrow(expect.objectContaining({ code: 'ERR_QGEMM_FORMAT' }) as Error);
  });
});
