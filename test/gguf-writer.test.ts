import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GgufTensor } from '../lib/formats/gguf/tensor.js';
import { openModel } from '../lib/formats/open.js';
import { readTensor } from '../lib/formats/source.js';
import { convert, inspect, QgemmError, verify, type ConvertOptions } from '../lib/index.js';
import { array, ggufBytes, kv, text, u32, type TestGgufTensor } from './support/gguf.js';
import { bytesOf, f32, temporaryFolder, values, writeSafetensors, type TestTensor } from './support/safetensors.js';

/** float16 bits of a positive float32, by search: the nearest, the even one of two. */
function halfBits(x: number): number {
  const value = (bits: number): number =>
    bits < 0x400 ? bits * 2 ** -24 : (1 + (bits & 0x3ff) / 1024) * 2 ** ((bits >> 10) - 15);
  let low = 0;
  let high = 0x7c00;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (value(middle) <= x) low = middle;
    else high = middle;
  }
  const [below, above] = [x - value(low), value(high) - x];
  return below < above || (below === above && low % 2 === 0) ? low : high;
}

/** Q8_0 as ggml defines it. */
function q8(x: Float32Array): Buffer {
  const blocks: Buffer[] = [];
  for (let start = 0; start < x.length; start += 32) {
    const block = x.subarray(start, start + 32);
    const d = Math.fround(Math.max(...block.map(Math.abs)) / 127);
    const inverse = d === 0 ? 0 : Math.fround(1 / d);
    const bytes = Buffer.alloc(34);
    bytes.writeUInt16LE(halfBits(d));
    block.forEach((value, i) => {
      const scaled = Math.fround(value * inverse);
      bytes.writeInt8(Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5), 2 + i);
    });
    blocks.push(bytes);
  }
  return Buffer.concat(blocks);
}

function stored(tensor: GgufTensor): Buffer {
  const bytes = Buffer.alloc(tensor.storedBytes);
  tensor.readStored(bytes, 0);
  return bytes;
}

async function converted(
  input: string,
  options: ConvertOptions = {},
): Promise<{ tensors: ReadonlyMap<string, GgufTensor>; metadata: Record<string, string>; output: string }> {
  const output = join(temporaryFolder(), 'out.gguf');
  const report = await convert(input, output, { format: 'gguf', ...options });
  expect(report.outputFormat).toBe('gguf');
  expect(report.bytesAfter).toBe(readFileSync(output).length);
  const { tensors, metadata } = openModel(output);
  return { tensors: tensors as ReadonlyMap<string, GgufTensor>, metadata: Object.fromEntries(metadata), output };
}

const fromSafetensors = (tensors: Record<string, TestTensor>): string =>
  writeSafetensors(join(temporaryFolder(), 'tiny model.safetensors'), tensors, { format: 'pt' });

async function refused(code: string, input: string, options: ConvertOptions = {}): Promise<void> {
  const folder = temporaryFolder();
  const failure = convert(input, join(folder, 'out.gguf'), { format: 'gguf', ...options });
  await expect(failure).rejects.toBeInstanceOf(QgemmError);
  await expect(failure).rejects.toMatchObject({ code });
  expect(readdirSync(folder)).toEqual([]);
}

const model = { 'a.weight': f32([5, 64]), 'a.bias': f32([5], 2), 'b.weight': f32([4, 33], 3), norm: f32([7], 4) };

describe('convert to GGUF', () => {
  it('weights as Q8_0, as F16 where rows are no whole blocks, everything else as it was', async () => {
    const { tensors, metadata, output } = await converted(fromSafetensors(model));
    const types = [...tensors.values()].map(({ name, type, shape }) => [name, type.name, shape]);
    expect(types).toEqual([
      ['a.weight', 'Q8_0', [5, 64]],
      ['a.bias', 'F32', [5]],
      ['b.weight', 'F16', [4, 33]],
      ['norm', 'F32', [7]],
    ]);
    expect(stored(tensors.get('a.weight')!).equals(q8(values(320)))).toBe(true);
    for (const [name, seed] of Object.entries({ 'a.bias': 2, norm: 4 })) {
      const read = new Float32Array(readTensor(tensors.get(name)!).buffer);
      expect(read).toEqual(values(read.length, seed));
    }
    const halves = stored(tensors.get('b.weight')!);
    values(132, 3).forEach((x, i) => expect(halves.readUInt16LE(2 * i) & 0x7fff).toBe(halfBits(Math.abs(x))));
    expect(metadata).toEqual({
      'gguf.version': '3',
      'gguf.general.architecture': 'unknown',
      'gguf.general.name': 'tiny model',
      'gguf.source.format': 'pt',
      'gguf.general.file_type': '7',
      'gguf.general.quantization_version': '2',
    });
    for (const { storedOffset } of tensors.values()) expect(storedOffset % 32).toBe(0);
    expect(inspect(output).tensors[0]).toMatchObject({ dtype: 'F32', storedAs: 'Q8_0', bytes: 340 });
  });

  it('a tensor larger than a piece', async () => {
    const { tensors } = await converted(fromSafetensors({ 'a.weight': f32([1030, 1056]) }));
    expect(stored(tensors.get('a.weight')!).equals(q8(values(1030 * 1056)))).toBe(true);
  });

  it('float16', async () => {
    const { tensors, metadata } = await converted(fromSafetensors(model), { scheme: 'float16' });
    expect(tensors.get('a.weight')!.type.name).toBe('F16');
    expect(metadata['gguf.general.file_type']).toBe('1');
  });

  it('dtypes that GGUF has are kept; BOOL is I8; a scalar is a vector of one', async () => {
    const data = Buffer.from(Array.from({ length: 32 }, (_, i) => i * 7));
    const sizes = { F64: 8, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, BOOL: 1 };
    const kept = Object.entries(sizes).map(([dtype, size]): [string, TestTensor] => [
      dtype,
      { dtype, shape: [2, 2], data: data.subarray(0, 4 * size) },
    ]);
    const input = fromSafetensors({ ...Object.fromEntries(kept), scalar: f32([]) });
    const { tensors } = await converted(input);
    for (const [dtype, size] of Object.entries(sizes)) {
      const tensor = tensors.get(dtype)!;
      expect(tensor.type.name).toBe(dtype === 'BOOL' ? 'I8' : dtype);
      expect(stored(tensor).equals(data.subarray(0, 4 * size))).toBe(true);
    }
    expect(tensors.get('scalar')!.shape).toEqual([1]);
    const output = join(temporaryFolder(), 'out.gguf');
    await convert(input, output, { format: 'gguf' });
    expect(await verify(input, output)).toMatchObject({ mismatches: [], kept: 9, weights: [] });
  });

  it('a GGUF source keeps its keys and every tensor that needs no change, byte for byte', async () => {
    const blocks = (seed: number, length: number): Uint8Array =>
      new Uint8Array(length).map((_, i) => (i * seed) & 0x3f);
    const sources: TestGgufTensor[] = [
      { name: 'token_embd.weight', type: 14, dims: [256, 3], data: blocks(5, 630) },
      { name: 'blk.0.ffn_up.weight', type: 8, dims: [64, 2], data: blocks(7, 136) },
      { name: 'blk.0.ffn_down.weight', type: 2, dims: [32, 3], data: blocks(11, 54) },
      { name: 'norm', dims: [5], data: values(5) },
    ];
    const tokens = kv(
      'tokenizer.ggml.tokens',
      9,
      array(8, 70, ...Array.from({ length: 70 }, () => text(Buffer.from([0xff])))),
    );
    const keys = [
      kv('general.architecture', 8, text('llama')),
      kv('general.alignment', 4, u32(64)),
      tokens,
      kv('general.file_type', 4, u32(2)),
      kv('split.count', 2, Buffer.alloc(2)),
    ];
    const input = join(temporaryFolder(), 'in.gguf');
    writeFileSync(input, ggufBytes({ keys, alignment: 64, tensors: sources }));
    const { tensors, metadata, output } = await converted(input);
    expect(metadata).toEqual({
      'gguf.version': '3',
      'gguf.general.architecture': 'llama',
      'gguf.general.file_type': '7',
      'gguf.general.quantization_version': '2',
    });
    expect(readFileSync(output).includes(tokens)).toBe(true);
    for (const { name, data } of sources) {
      if (name !== 'blk.0.ffn_down.weight')
        expect(Buffer.compare(stored(tensors.get(name as string)!), bytesOf(data!))).toBe(0);
    }
    const requantized = tensors.get('blk.0.ffn_down.weight')!;
    const original = new Float32Array(readTensor(openModel(input).tensors.get(requantized.name)!).buffer);
    expect(requantized.type.name).toBe('Q8_0');
    expect(stored(requantized).equals(q8(original))).toBe(true);
  });

  it('the report counts the bytes of both files', async () => {
    const input = fromSafetensors(model);
    const output = join(temporaryFolder(), 'out.gguf');
    const { tensors, numerics, scheme } = await convert(input, output, { format: 'gguf' });
    expect([scheme, numerics]).toEqual(['q8_0', 'ggml']);
    expect(tensors.map(({ name, action, bytesAfter }) => [name, action, bytesAfter])).toEqual([
      ['a.weight', 'packed', 340],
      ['a.bias', 'bias', 20],
      ['b.weight', 'packed', 264],
      ['norm', 'kept', 28],
    ]);
    const again = await convert(output, join(temporaryFolder(), 'again.safetensors'));
    expect(again.tensors.find(({ name }) => name === 'a.weight')!.bytesBefore).toBe(340);
  });

  it('values that are not finite are refused, or clipped when asked', async () => {
    const data = values(64);
    data[3] = Infinity;
    data[40] = NaN;
    for (const scheme of ['q8_0', 'float16'] as const) {
      const input = fromSafetensors({ 'a.weight': { dtype: 'F32', shape: [2, 32], data } });
      await refused('ERR_QGEMM_RANGE', input, { scheme });
      const { tensors } = await converted(input, { scheme, nonFinite: 'clip' });
      const bytes = stored(tensors.get('a.weight')!);
      if (scheme === 'q8_0') expect([bytes.readInt8(2 + 3), bytes.readInt8(34 + 2 + 8)]).toEqual([127, 0]);
      else expect([bytes.readUInt16LE(6), bytes.readUInt16LE(80)]).toEqual([0x7bff, 0]);
    }
    const large = new Float32Array(32).fill(70000);
    await refused('ERR_QGEMM_RANGE', fromSafetensors({ 'a.weight': { dtype: 'F32', shape: [1, 32], data: large } }), {
      scheme: 'float16',
    });
  });

  it('what GGUF cannot hold is refused before anything is written', async () => {
    const unsigned = { dtype: 'U8', shape: [4], data: new Uint8Array(4) };
    await refused('ERR_QGEMM_DTYPE', fromSafetensors({ codes: unsigned }));
    await refused('ERR_QGEMM_LIMIT', fromSafetensors({ deep: f32([1, 1, 1, 1, 2]) }));
    await refused('ERR_QGEMM_LIMIT', fromSafetensors({ ['n'.repeat(64)]: f32([2]) }));
    await converted(fromSafetensors({ ['n'.repeat(63)]: f32([2]) }));
  });

  it('options that Q8_0 has no place for are refused', async () => {
    const input = fromSafetensors(model);
    await refused('ERR_QGEMM_ARGUMENT', input, { symmetric: false });
    await refused('ERR_QGEMM_ARGUMENT', input, { numerics: 'onnx' });
    await refused('ERR_QGEMM_ARGUMENT', input, { scheme: 'int8' });
  });
});
