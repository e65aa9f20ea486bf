import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openModel } from '../lib/formats/open.js';
import { encodeSafetensorsHeader } from '../lib/formats/safetensors/header.js';
import { readTensor, type ModelSource } from '../lib/formats/source.js';
import { QgemmError } from '../lib/index.js';
import { runs } from './support/runs.js';
import {
  bytesOf,
  f32,
  parseSafetensors,
  safetensorsBytes,
  temporaryFolder,
  writeSafetensors,
  type TestTensor,
} from './support/safetensors.js';

function open(tensors: Record<string, TestTensor>, metadata?: Record<string, string>): ModelSource {
  return openModel(writeSafetensors(join(temporaryFolder(), 'model.safetensors'), tensors, metadata));
}

const raw = (dtype: string, shape: number[], bytes: number): TestTensor => ({
  dtype,
  shape,
  data: Uint8Array.from({ length: bytes }, (_, i) => i * 37),
});

describe('reading safetensors', () => {
  it('reads every dtype of the format, scalars and empty tensors, byte for byte', () => {
    const tensors: Record<string, TestTensor> = {
      c64: raw('C64', [2], 16),
      f64: raw('F64', [1, 2], 16),
      i64: raw('I64', [2], 16),
      u64: raw('U64', [2], 16),
      f32: raw('F32', [], 4),
      i32: raw('I32', [3], 12),
      u32: raw('U32', [1], 4),
      bf16: raw('BF16', [3], 6),
      f16: raw('F16', [1, 1, 1], 2),
      i16: raw('I16', [1], 2),
      u16: raw('U16', [1], 2),
      i8: raw('I8', [5], 5),
      u8: raw('U8', [1], 1),
      bool: raw('BOOL', [2], 2),
      f8a: raw('F8_E4M3', [1], 1),
      f8b: raw('F8_E5M2', [1], 1),
      f8c: raw('F8_E8M0', [1], 1),
      f8d: raw('F8_E4M3FNUZ', [1], 1),
      f8e: raw('F8_E5M2FNUZ', [1], 1),
      f6a: raw('F6_E2M3', [4], 3),
      f6b: raw('F6_E3M2', [8], 6),
      f4: raw('F4', [2, 3], 3),
      empty: raw('F32', [0, 7], 0),
    };
    const source = open(tensors, { format: 'pt' });
    expect(source.format).toBe('safetensors');
    expect(source.metadata).toEqual(new Map([['format', 'pt']]));
    expect([...source.tensors.keys()]).toEqual(Object.keys(tensors));
    for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
      const tensor = source.tensors.get(name)!;
      expect({ dtype: tensor.dtype, shape: tensor.shape }).toEqual({ dtype, shape });
      expect(Buffer.compare(readTensor(tensor), bytesOf(data))).toBe(0);
    }
    source.close();
  });

  it('reads names that would be traps as keys of objects, and data in another order than the header', () => {
    const header =
      '{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}';
    const path = join(temporaryFolder(), 'x.safetensors');
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(path, Buffer.concat([prefix, Buffer.from(header), Buffer.from([7, 8])]));
    const source = openModel(path);
    expect([...source.tensors].map(([name, tensor]) => [name, readTensor(tensor)[0]])).toEqual([
      ['b', 8],
      ['__proto__', 7],
    ]);
    source.close();
  });

  it('recognises the format by content, whatever the name', () => {
    const path = writeSafetensors(join(temporaryFolder(), 'weights.txt'), { 'a.weight': f32([2, 3]) });
    const source = openModel(path);
    expect(source.matmuls.get('a.weight')).toEqual({ n: 2, k: 3, layout: 'nk' });
    source.close();
  });

  it('a random change of a byte gives a QgemmError or a model, and nothing else', () => {
    const file = safetensorsBytes({ 'a.weight': f32([4, 3]), 'a.bias': f32([4]), b: raw('I64', [1], 8) }, { x: 'y' });
    const path = join(temporaryFolder(), 'model.safetensors');
    const length = file.readUInt32LE();
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(length + 7), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
        const changed = Buffer.from(file);
        for (const [at, byte] of changes) changed[at] = byte;
        writeFileSync(path, changed);
        try {
          const source = openModel(path);
          for (const tensor of source.tensors.values()) readTensor(tensor);
          source.close();
        } catch (error) {
          expect(error).toBeInstanceOf(QgemmError);
        }
      }),
      { numRuns: runs(500) },
    );
  });

  it('every truncation is refused', () => {
    const file = safetensorsBytes({ 'a.weight': f32([2, 2]) });
    const path = join(temporaryFolder(), 'model.safetensors');
    for (let length = 0; length < file.length; ++length) {
      writeFileSync(path, file.subarray(0, length));
      expect(() => openModel(path)).toThrow(QgemmError);
    }
  });
});

describe('which safetensors tensors are matmul weights', () => {
  it('2-d float *.weight, but for lookup tables and normalisations by name', () => {
    const source = open({
      'layer.0.query.weight': f32([4, 6]),
      'layer.0.query.bias': f32([4]),
      'half.weight': raw('F16', [2, 2], 8),
      'brain.weight': raw('BF16', [2, 2], 8),
      'embeddings.word_embeddings.weight': f32([9, 4]),
      'Embed.weight': f32([9, 4]),
      'wte.weight': f32([9, 4]),
      'wpe.weight': f32([9, 4]),
      'LayerNorm.weight': f32([2, 2]),
      'conv.weight': f32([2, 2, 1]),
      'vector.weight': f32([4]),
      'int.weight': raw('I8', [2, 2], 4),
      'double.weight': raw('F64', [1, 1], 8),
      other: f32([2, 2]),
    });
    expect([...source.matmuls.keys()]).toEqual(['layer.0.query.weight', 'half.weight', 'brain.weight']);
    expect(source.matmuls.get('layer.0.query.weight')).toEqual({
      n: 4,
      k: 6,
      layout: 'nk',
      bias: 'layer.0.query.bias',
    });
    expect(source.asMatmul('other')).toEqual({ n: 2, k: 2, layout: 'nk' });
    expect(source.asMatmul('conv.weight')).toBeUndefined();
    source.close();
  });

  it('a bias of the wrong length or dtype belongs to nobody', () => {
    const source = open({
      'a.weight': f32([2, 3]),
      'a.bias': f32([5]),
      'b.weight': f32([2, 3]),
      'b.bias': raw('I32', [2], 8),
      'c.weight': f32([2, 3]),
      'c.bias': f32([1, 2]),
    });
    for (const weight of source.matmuls.values()) expect(weight).toEqual({ n: 2, k: 3, layout: 'nk' });
    source.close();
  });

  it('Conv1D of Hugging Face is [K, N], also where it is square', () => {
    const source = open({
      'h.0.attn.c_attn.weight': f32([2, 6]),
      'h.0.attn.c_attn.bias': f32([6]),
      'h.0.attn.c_proj.weight': f32([2, 2]),
      'h.0.attn.c_proj.bias': f32([2]),
      'head.weight': f32([2, 2]),
    });
    expect(source.matmuls.get('h.0.attn.c_attn.weight')).toMatchObject({ n: 6, k: 2, layout: 'kn' });
    expect(source.matmuls.get('h.0.attn.c_proj.weight')).toMatchObject({ layout: 'kn', bias: 'h.0.attn.c_proj.bias' });
    expect(source.matmuls.get('head.weight')).toMatchObject({ layout: 'nk' });
    source.close();
  });

  it('the same names in a model of Linear layers are [N, K]', () => {
    const source = open({
      'c_attn.weight': f32([6, 2]),
      'c_attn.bias': f32([6]),
      'c_proj.weight': f32([2, 2]),
      'c_proj.bias': f32([2]),
    });
    expect(source.matmuls.get('c_attn.weight')).toMatchObject({ n: 6, k: 2, layout: 'nk' });
    expect(source.matmuls.get('c_proj.weight')).toMatchObject({ layout: 'nk' });
    source.close();
  });
});

describe('sharded safetensors', () => {
  const index = JSON.stringify({
    metadata: { total_size: 40 },
    weight_map: { 'a.weight': 's1.safetensors', 'a.bias': 'sub/s2.safetensors' },
  });

  it('reads tensors from the file that the index names, by index or by folder', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'sub'));
    writeSafetensors(join(folder, 's1.safetensors'), { 'a.weight': f32([2, 3]) }, { from: 'one' });
    writeSafetensors(join(folder, 'sub', 's2.safetensors'), { 'a.bias': f32([2], 9) }, { from: 'two', and: 'more' });
    writeFileSync(join(folder, 'model.safetensors.index.json'), index);
    for (const path of [folder, join(folder, 'model.safetensors.index.json')]) {
      const source = openModel(path);
      expect(source.format).toBe('safetensors-sharded');
      expect(source.files).toHaveLength(3);
      expect(source.metadata).toEqual(
        new Map([
          ['from', 'one'],
          ['and', 'more'],
        ]),
      );
      expect(source.matmuls.get('a.weight')).toEqual({ n: 2, k: 3, layout: 'nk', bias: 'a.bias' });
      expect(Buffer.compare(readTensor(source.tensors.get('a.bias')!), bytesOf(f32([2], 9).data))).toBe(0);
      expect(Buffer.compare(readTensor(source.tensors.get('a.weight')!), bytesOf(f32([2, 3]).data))).toBe(0);
      source.close();
    }
  });

  it('a folder with one safetensors file of any name is a model, with two it is not', () => {
    const folder = temporaryFolder();
    expect(() => openModel(folder)).toThrow(/must hold model.safetensors.index.json/);
    writeSafetensors(join(folder, 'x.safetensors'), { a: f32([1]) });
    expect([...openModel(folder).tensors.keys()]).toEqual(['a']);
    writeSafetensors(join(folder, 'y.safetensors'), { b: f32([1]) });
    expect(() => openModel(folder)).toThrow(/has 2 files/);
    writeSafetensors(join(folder, 'model.safetensors'), { c: f32([1]) });
    expect([...openModel(folder).tensors.keys()]).toEqual(['c']);
  });

  it('a shard that changes while the model is open is noticed', () => {
    const folder = temporaryFolder();
    const path = writeSafetensors(join(folder, 's1.safetensors'), { a: f32([3]) });
    writeSafetensors(join(folder, 's2.safetensors'), { b: f32([3]) });
    writeFileSync(join(folder, 'i.json'), JSON.stringify({ weight_map: { a: 's1.safetensors', b: 's2.safetensors' } }));
    const source = openModel(join(folder, 'i.json'));
    writeSafetensors(path, { a: f32([4]) });
    expect(() => readTensor(source.tensors.get('a')!)).toThrow(expect.objectContaining({ code: 'ERR_QGEMM_IO' }));
  });
});

describe('writing safetensors headers', () => {
  it('what is written reads back, whatever the names, and data begin at a multiple of the alignment', () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 });
    fc.assert(
      fc.property(
        fc.uniqueArray(
          text.filter((name) => name !== '__metadata__'),
          { maxLength: 6 },
        ),
        fc.dictionary(text, text),
        (names, metadata) => {
          const entries = names.map((name, i) => ({ name, dtype: 'U8' as const, shape: [i], byteLength: i }));
          const header = encodeSafetensorsHeader(new Map(Object.entries(metadata)), entries, 64);
          expect(header.length % 64).toBe(0);
          const parsed = parseSafetensors(Buffer.concat([header, Buffer.alloc(15)]));
          expect([...parsed.tensors.keys()].sort()).toEqual([...names].sort());
          expect(parsed.metadata).toEqual(metadata);
        },
      ),
    );
  });
});
