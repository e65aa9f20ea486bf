import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert, type ConvertOptions } from '../../lib/index.js';
import { temporaryFolder } from '../support/safetensors.js';
import { expectSameValues, loadWithTransformers } from '../support/transformers.js';

/** Made by scripts/interop/make_transformers.py. */
const folder = join(__dirname, '../../.cache/interop/transformers');

// The last layers of `llama-tied` and `bert` are their embeddings: in no file, and not quantized.
const cases: { name: string; int8: number; tied: string[]; options: ConvertOptions }[] = [
  { name: 'llama', int8: 15, tied: [], options: {} },
  { name: 'llama-tied', int8: 14, tied: ['lm_head.weight'], options: { activations: 'symmetric' } },
  { name: 'bert', int8: 13, tied: ['cls.predictions.decoder.weight'], options: { granularity: 'per-tensor' } },
  {
    name: 'bert',
    int8: 13,
    tied: ['cls.predictions.decoder.weight'],
    options: { symmetric: false, numerics: 'torch' },
  },
  {
    name: 'bert',
    int8: 11,
    tied: ['cls.predictions.decoder.weight'],
    options: { exclude: ['*.layer.1.attention.self.query.weight', '*.transform.*'] },
  },
  {
    name: 'bert-half',
    int8: 13,
    tied: ['cls.predictions.decoder.weight'],
    options: { numerics: 'compressed-tensors' },
  },
];

describe('transformers', () => {
  it('loads and runs what convert --format compressed-tensors writes, with the values that we mean', async () => {
    const target = temporaryFolder();
    const conversions = cases.map(({ name }, i) => ({ original: join(folder, name), converted: join(target, `${i}`) }));
    for (const [i, { original, converted }] of conversions.entries()) {
      await convert(original, converted, { format: 'compressed-tensors', ...cases[i]!.options });
    }
    const loaded = loadWithTransformers(conversions);
    for (const [i, { name, options, int8, tied }] of cases.entries()) {
      const what = `${name} ${JSON.stringify(options)}`;
      const { values, ...figures } = loaded[i]!;
      expect(figures.int8, what).toBe(int8);
      expect(figures.weights, what).toBeGreaterThan(0.98);
      expect(figures.activations, what).toBeGreaterThan(0.95);
      expect(expectSameValues(conversions[i]!.converted, values), what).toEqual(tied);
    }
  });
});
