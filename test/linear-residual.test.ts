import { describe, expect, it } from 'vitest';
import { Linear, PackedWeights } from '../lib/index.js';
import { linearInt8 } from './reference/linear.js';
import { knownLayer, knownWeights } from './support/layers.js';
import { randomFloats } from './support/random.js';
import { expectSameBits } from './support/same-bits.js';

const [n, k] = [41, 70];
const w = knownWeights(n, k, 1);
const layer = knownLayer(w, { activation: 'gelu' });

describe('Linear.forward with a residual', () => {
  it('adds it after the activation: equals the oracle', async () => {
    for (const m of [1, 4, 30]) {
      const x = randomFloats(m * k, m);
      const residual = randomFloats(m * n, m + 1);
      const expected = linearInt8(x, w.reference, { activation: 'gelu', residual });
      expectSameBits(layer.forward(x, undefined, { residual }), expected, `M = ${m}`);
      expectSameBits(await layer.forwardAsync(x, { residual }), expected, `M = ${m}, async`);
    }
  });

  it.each(['int8', 'float32'] as const)('is one float32 addition to the plain result: %s weights', (scheme) => {
    const packed = PackedWeights.fromFloat32(randomFloats(n * k, 2), [n, k], { scheme });
    const fc = new Linear(packed, { bias: randomFloats(n, 3) });
    const x = randomFloats(3 * k, 4);
    const residual = randomFloats(3 * n, 5);
    expectSameBits(
      fc.forward(x, undefined, { residual }),
      fc.forward(x).map((value, i) => value + residual[i]!),
    );
  });

  it('may be out itself, or overlap it anywhere', () => {
    const m = 20;
    const x = randomFloats(m * k, 6);
    const residual = randomFloats(m * n, 7);
    const expected = layer.forward(x, undefined, { residual });
    for (const [from, to] of [
      [0, 0],
      [0, 3],
      [5, 0],
      [n, 0],
      [0, n],
    ] as const) {
      const memory = new Float32Array(m * n + n);
      memory.set(residual, from);
      const out = memory.subarray(to, to + m * n);
      layer.forward(x, out, { residual: memory.subarray(from, from + m * n) });
      expectSameBits(out, expected, `residual at ${from}, out at ${to}`);
    }
  });

  it('is read before forwardAsync returns', async () => {
    const big = knownLayer(knownWeights(512, 300, 8));
    const x = randomFloats(64 * 300, 9);
    const residual = randomFloats(64 * 512, 10);
    const expected = big.forward(x, undefined, { residual });
    const [changed, transferred] = [residual.slice(), residual.slice()];
    const promises = [changed, transferred].map((r) => big.forwardAsync(x, { residual: r }));
    changed.fill(NaN);
    structuredClone(transferred.buffer, { transfer: [transferred.buffer] });
    for (const y of await Promise.all(promises)) expectSameBits(y, expected);
  });

  const x = randomFloats(k, 11);
  it.each<[string, unknown, string]>([
    ['a list', { residual: [1] }, 'ARGUMENT'],
    ['another class', { residual: new Float64Array(n) }, 'DTYPE'],
    ['another length', { residual: new Float32Array(n + 1) }, 'SHAPE'],
    ['an unknown option', { residul: new Float32Array(n) }, 'ARGUMENT'],
    ['options that are no object', 5, 'ARGUMENT'],
  ])('refuses %s', async (_, options, code) => {
    const expected = { name: 'QgemmError', code: `ERR_QGEMM_${code}` };
    expect(() => layer.forward(x, undefined, options as object)).toThrow(expect.objectContaining(expected));
    await expect(layer.forwardAsync(x, options as object)).rejects.toMatchObject(expected);
  });
});
