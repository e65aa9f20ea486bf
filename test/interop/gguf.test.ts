import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GgufTensor } from '../../lib/formats/gguf/tensor.js';
import { openModel } from '../../lib/formats/open.js';
import { readTensor } from '../../lib/formats/source.js';
import { readFloat32 } from '../../lib/formats/values.js';
import { convert, type ConvertOptions } from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { temporaryFolder } from '../support/safetensors.js';

/** Made by scripts/interop/make_gguf.py with the gguf package. */
const folder = join(__dirname, '../../.cache/interop/gguf');
const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as {
  types: Record<string, { type: string; shape: number[]; sha256: string }>;
  keys: Record<string, string>;
};

describe('GGUF files written by the gguf package', () => {
  const types = openModel(join(folder, 'types.gguf'));

  it.each(Object.entries(expected.types))(
    '%s: the same float32 bytes as the package',
    (name, { type, shape, sha256 }) => {
      const tensor = types.tensors.get(name) as GgufTensor;
      expect({ type: tensor.type.name, shape: tensor.shape }).toEqual({ type, shape });
      expect(createHash('sha256').update(readTensor(tensor)).digest('hex')).toBe(sha256);
    },
  );

  it('has every type once', () => {
    expect([...types.tensors.keys()].sort()).toEqual(Object.keys(expected.types).sort());
  });

  it('all 13 types of values, and an alignment of 128', () => {
    const { metadata, tensors } = openModel(join(folder, 'keys.gguf'));
    for (const [key, value] of Object.entries(expected.keys))
      expect([key, metadata.get(`gguf.${key}`)]).toEqual([key, value]);
    expect(metadata.has('gguf.t.long')).toBe(false);
    expect(new Float32Array(readTensor(tensors.get('x.weight')!).buffer)).toEqual(new Float32Array(6).fill(1));
  });
});

describe('quantization for GGUF gives the bytes of the gguf package', () => {
  const file = (name: string): Buffer => readFileSync(join(folder, name));
  const rows = new Float32Array(new Uint8Array(file('rows.f32')).buffer);

  it('Q8_0', () => {
    const blocks = Buffer.alloc((rows.length / 32) * 34);
    expect(native.ggufQuantizeQ8(rows, false, blocks)).toBe(true);
    expect(blocks.equals(file('rows.q8_0'))).toBe(true);
  });

  it('F16', () => {
    const halves = Buffer.alloc(rows.length * 2);
    const overflows = rows.some((x) => Math.abs(x) >= 65520);
    expect(native.toFloat16(rows, false, halves)).toBe(!overflows);
    expect(halves.equals(file('rows.f16'))).toBe(true);
  });
});

describe('the gguf package reads what convert writes', () => {
  interface Read {
    keys: Record<string, unknown>;
    tensors: Record<string, { type: string; shape: number[]; sha256: string }>;
  }
  const python = process.env['QGEMM_TEST_PYTHON']!;
  const script = join(__dirname, '../../scripts/interop/read_gguf.py');

  it.each<[string, ConvertOptions['scheme']]>([
    ['model.gguf', 'q8_0'],
    ['model.gguf', 'float16'],
    ['model.safetensors', 'q8_0'],
  ])('%s as %s: equal types, shapes and values', async (name, scheme) => {
    const output = join(temporaryFolder(), 'out.gguf');
    await convert(join(folder, name), output, { format: 'gguf', scheme: scheme! });
    const read = JSON.parse(execFileSync(python, [script, output], { encoding: 'utf8' })) as Read;
    const { tensors } = openModel(output);
    expect(Object.keys(read.tensors)).toEqual([...tensors.keys()]);
    for (const [tensorName, { type, shape, sha256 }] of Object.entries(read.tensors)) {
      const tensor = tensors.get(tensorName) as GgufTensor;
      expect([tensorName, tensor.type.name, tensor.shape]).toEqual([tensorName, type, shape]);
      const values = readFloat32(tensor);
      expect(createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex')).toBe(sha256);
    }
    expect(read.keys['general.quantization_version']).toBe(2);
    expect(read.keys['general.file_type']).toBe(scheme === 'q8_0' ? 7 : 1);
    if (name === 'model.gguf') {
      expect(read.keys).toMatchObject({ 'general.architecture': 'llama', 'tokenizer.ggml.tokens': 300 });
    }
  });
});
