import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GgufTensor } from '../lib/formats/gguf/tensor.js';
import { openModel } from '../lib/formats/open.js';
import { readTensor, type ModelSource } from '../lib/formats/source.js';
import { convert, inspect, loadModel, QgemmError } from '../lib/index.js';
import { array, ggufBytes, kv, text, u32, u64, type TestGguf, type TestGgufTensor } from './support/gguf.js';
import { runs } from './support/runs.js';
import { temporaryFolder, values } from './support/safetensors.js';

function open(file: TestGguf): ModelSource {
  const path = join(temporaryFolder(), 'model.gguf');
  writeFileSync(path, ggufBytes(file));
  return openModel(path);
}

const f32 = (name: string, ...dims: number[]): TestGgufTensor => ({
  name,
  dims,
  data: values(dims.reduce((a, b) => a * b, 1)),
});

const floats = (model: ModelSource, name: string): Float32Array =>
  new Float32Array(readTensor(model.tensors.get(name)!).buffer);

/** Q8_0 blocks of scale 0.5 whose codes count up from -128. */
const q8 = (blocks: number): Uint8Array => {
  const bytes = new Uint8Array(blocks * 34);
  for (let block = 0; block < blocks; block++) {
    bytes.set([0x00, 0x38], block * 34);
    for (let i = 0; i < 32; i++) bytes[block * 34 + 2 + i] = block * 32 + i + 128;
  }
  return bytes;
};

describe('GGUF', () => {
  it.each([2, 3])('version %i: tensors with their shapes the other way round', (version) => {
    const model = open({ version, tensors: [f32('a', 3, 2), f32('b', 5), f32('scalar')] });
    expect(model.format).toBe('gguf');
    expect([...model.tensors.values()].map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      ['a', 'F32', [2, 3]],
      ['b', 'F32', [5]],
      ['scalar', 'F32', []],
    ]);
    expect(floats(model, 'a')).toEqual(values(6));
    expect(model.metadata.get('gguf.version')).toBe(String(version));
  });

  it('plain types stay what they are', () => {
    const types: [number, string, number][] = [
      [1, 'F16', 2],
      [24, 'I8', 1],
      [25, 'I16', 2],
      [26, 'I32', 4],
      [27, 'I64', 8],
      [28, 'F64', 8],
      [30, 'BF16', 2],
    ];
    const data = Buffer.from(Array.from({ length: 48 }, (_, i) => i * 5));
    const model = open({
      tensors: types.map(([type, name, size]) => ({ name, type, dims: [6], data: data.subarray(0, 6 * size) })),
    });
    for (const [, name, size] of types) {
      const tensor = model.tensors.get(name)!;
      expect(tensor.dtype).toBe(name);
      expect(Buffer.from(readTensor(tensor)).equals(data.subarray(0, 6 * size))).toBe(true);
    }
  });

  it('a tensor may lie anywhere, in any order, with holes', () => {
    const model = open({
      tensors: [
        { name: 'second', dims: [8], offset: 64 },
        { name: 'first', dims: [4], offset: 0, data: values(24) },
        { name: 'empty', dims: [0, 4], offset: 32 },
      ],
    });
    expect(floats(model, 'first')).toEqual(values(24).subarray(0, 4));
    expect(floats(model, 'second')).toEqual(values(24).subarray(16));
    expect(floats(model, 'empty')).toHaveLength(0);
  });

  it('general.alignment moves the data', () => {
    const keys = [kv('general.alignment', 4, u32(256))];
    expect(floats(open({ keys, alignment: 256, tensors: [f32('x', 1), f32('a', 9)] }), 'a')).toEqual(values(9));
  });

  it('blocks are read as float32, any part of them', () => {
    const tensor = { name: 'w', type: 8, dims: [64, 3], data: q8(6) };
    const model = open({ tensors: [tensor] });
    const w = model.tensors.get('w') as GgufTensor;
    expect([w.dtype, w.byteLength, w.type.name, w.storedBytes]).toEqual(['F32', 768, 'Q8_0', 204]);
    const whole = readTensor(w);
    const expected = Float32Array.from({ length: 192 }, (_, i) => (((i + 128) << 24) >> 24) / 2);
    expect(new Float32Array(whole.buffer)).toEqual(expected);
    fc.assert(
      fc.property(fc.nat(96), fc.nat(96), fc.nat(3), (a, b, misalignment) => {
        const [begin, end] = [Math.min(a, b) * 8, Math.max(a, b) * 8];
        const part = new Uint8Array(end - begin + 8).subarray(misalignment, misalignment + end - begin);
        w.readInto(part, begin);
        expect(Buffer.compare(part, whole.subarray(begin, end))).toBe(0);
      }),
    );
  });

  it('a tensor larger than a piece is the same read whole or in parts', () => {
    const blocks = 2 ** 16 + 8; // 8 MB and a little of float32
    const data = new Uint8Array(blocks * 34).map((_, i) => (i % 34 === 1 ? 0x38 : i * 31));
    const model = open({ tensors: [{ name: 'w', type: 8, dims: [32, blocks], data }] });
    const w = model.tensors.get('w')!;
    const whole = readTensor(w);
    const part = new Uint8Array(3_000_000 * 2);
    w.readInto(part, 1_000_000);
    expect(Buffer.compare(part, whole.subarray(1_000_000, 7_000_000))).toBe(0);
  });

  it('values of keys become text, long arrays are left out', () => {
    const long = kv('long', 9, array(8, 65, ...Array.from({ length: 65 }, () => text(Buffer.from([0xff])))));
    const nested = kv('nested', 9, array(9, 2, array(0, 1, Buffer.from([1])), array(8, 1, text('x'))));
    const float = Buffer.alloc(4);
    float.writeFloatLE(1e-6);
    const keys = [
      kv('qgemm.version', 8, text('1')),
      kv('__proto__', 8, text('polluted')),
      kv('u64', 10, u64(2n ** 64n - 1n)),
      kv('f32', 6, float),
      kv('bool', 7, Buffer.from([1])),
      kv('list', 9, array(5, 2, u32(7), u32(2 ** 32 - 1))),
      kv('text too long', 8, text('x'.repeat(20_000))),
      long,
      nested,
    ];
    const { metadata } = open({ keys, tensors: [f32('a', 4)] });
    expect(Object.fromEntries(metadata)).toEqual(
      Object.fromEntries([
        ['gguf.version', '3'],
        ['gguf.qgemm.version', '1'],
        ['gguf.__proto__', 'polluted'],
        ['gguf.u64', '18446744073709551615'],
        ['gguf.f32', '0.000001'],
        ['gguf.bool', 'true'],
        ['gguf.list', '[7,-1]'],
      ]),
    );
  });

  it('matmul weights: 2-d *.weight, but no tables and norms', () => {
    const names = [
      'blk.0.attn_q',
      'output',
      'token_embd',
      'token_types',
      'position_embd',
      'blk.0.ffn_norm',
      'ssm_conv1d',
    ];
    const tensors = names.map((name) => f32(`${name}.weight`, 4, 6));
    const model = open({ tensors: [...tensors, f32('blk.0.attn_q.bias', 6), f32('blk.0.attn_norm.weight', 4)] });
    expect([...model.matmuls]).toEqual([
      ['blk.0.attn_q.weight', { n: 6, k: 4, layout: 'nk', bias: 'blk.0.attn_q.bias' }],
      ['output.weight', { n: 6, k: 4, layout: 'nk' }],
    ]);
  });

  it('with 123 tensors it is no safetensors file, whose JSON begins at the same byte', () => {
    const model = open({ tensors: Array.from({ length: 0x7b }, (_, i) => f32(`t${i}`, 1)) });
    expect([model.format, model.tensors.size]).toEqual(['gguf', 123]);
  });

  it('converts, from a folder too, to a file that multiplies', async () => {
    const folder = temporaryFolder();
    const tensors = [{ name: 'a.weight', type: 8, dims: [64, 3], data: q8(6) }, f32('a.bias', 3), f32('norm', 7)];
    writeFileSync(join(folder, 'model.gguf'), ggufBytes({ keys: [kv('general.name', 8, text('tiny'))], tensors }));
    expect(inspect(folder).tensors.map(({ name }) => name)).toEqual(['a.weight', 'a.bias', 'norm']);
    const output = join(folder, 'out.safetensors');
    const report = await convert(folder, output, { scheme: 'float32' });
    expect([report.format, report.packed, report.kept]).toEqual(['gguf', 1, 1]);
    const model = loadModel(output);
    const y = model.linear('a.weight').forward(new Float32Array(64).fill(1));
    const sums = [0, 1, 2].map((row) => {
      let sum = 0;
      for (let i = row * 64; i < row * 64 + 64; i++) sum += (((i + 128) << 24) >> 24) / 2;
      return Math.fround(sum + values(3)[row]!);
    });
    expect([...y]).toEqual(sums);
    expect(model.metadata['gguf.general.name']).toBe('tiny');
    model.close();
  });

  it('random changes give a QgemmError or tensors that can be read, never a crash', () => {
    const path = join(temporaryFolder(), 'model.gguf');
    const sound = ggufBytes({
      keys: [kv('general.name', 8, text('x')), kv('list', 9, array(8, 2, text('a'), text('b'))), kv('n', 4, u32(7))],
      tensors: [f32('a.weight', 4, 2), { name: 'b', type: 8, dims: [32], data: q8(1) }, f32('c', 3)],
    });
    const byte = fc.oneof(fc.constantFrom(0, 1, 8, 9, 0x7f, 0x80, 0xff), fc.nat(255));
    const change = fc.tuple(fc.nat(sound.length - 1), byte);
    const length = fc.oneof({ weight: 3, arbitrary: fc.constant(sound.length) }, fc.nat(sound.length));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), length, (changes, cut) => {
        const bytes = Buffer.from(sound);
        for (const [at, value] of changes) bytes[at] = value;
        writeFileSync(path, bytes.subarray(0, cut));
        try {
          const model = openModel(path);
          for (const tensor of model.tensors.values()) readTensor(tensor);
          model.close();
        } catch (error) {
          expect(error).toBeInstanceOf(QgemmError);
        }
      }),
      { numRuns: runs(500) },
    );
  });
});
