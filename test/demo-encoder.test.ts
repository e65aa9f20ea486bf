import { Linear, loadModel } from 'qgemm';
import { expect, it, vi } from 'vitest';
import { EMBEDDING_WIDTH, Encoder } from '../examples/demo/encoder.mjs';
import { convertModel, VARIANTS } from '../examples/demo/model-files.mjs';
import { gatherWeights } from '../examples/demo/use-lite.mjs';

it.each(VARIANTS)('%s: the ten matmuls by weights run in Linear, each once in a pass', async (variant) => {
  const model = loadModel((await convertModel(variant)).path);
  expect(model.names).toHaveLength(10);
  const encoder = new Encoder(gatherWeights(model));
  const forward = vi.spyOn(Linear.prototype, 'forward');
  encoder.embed([[6, 7, 8]]);
  expect(new Set(forward.mock.contexts).size).toBe(10);
  expect(forward).toHaveBeenCalledTimes(10);
  forward.mockRestore();
});

it('a text gives the same bytes alone and in a batch', async () => {
  const encoder = new Encoder(gatherWeights(loadModel((await convertModel('int8')).path)));
  const texts = [[9, 10, 11], [], Array.from({ length: 200 }, (_, i) => 100 + i), [12], [13, 14]];
  const together = encoder.embed(texts);
  texts.forEach((ids, row) => {
    expect(encoder.embed([ids])).toEqual(together.slice(row * EMBEDDING_WIDTH, (row + 1) * EMBEDDING_WIDTH));
  });
});
