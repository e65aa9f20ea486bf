import { describe, expect, it } from 'vitest';
import { Linear, PackedWeights, quantize } from '../lib/index.js';
import { knownLayer, knownWeights } from './support/layers.js';
import { randomFloats } from './support/random.js';
import { expectSameBits } from './support/same-bits.js';

const k = 130;
const q = knownLayer(knownWeights(64, k, 1), { bias: randomFloats(64, 2) });
const kk = knownLayer(knownWeights(33, k, 3, true), { activation: 'gelu' });
const v = knownLayer(knownWeights(1, k, 5));
const codes = knownLayer(knownWeights(9, k, 6), { output: { scale: 0.1, zeroPoint: 3, dtype: 'int8' } });

describe('Linear.forwardAll', () => {
  it('gives the bits of separate calls, also asynchronously', async () => {
    for (const m of [1, 2, 17, 90]) {
      const x = randomFloats(m * k, m);
      const expected = [q, kk, v].map((layer) => layer.forward(x));
      const results = Linear.forwardAll([q, kk, v], x);
      const later = await Linear.forwardAllAsync([q, kk, v], x);
      expected.forEach((y, i) => {
        expectSameBits(results[i]!, y, `M = ${m}, layer ${i}`);
        expectSameBits(later[i]!, y, `M = ${m}, layer ${i}, async`);
      });
    }
  });

  it('has the types of layers that are made in the call', async () => {
    const weights = PackedWeights.fromFloat32(randomFloats(2 * k, 8), [2, k]);
    const [y, c] = Linear.forwardAll(
      [new Linear(weights), new Linear(weights, { output: { scale: 1, zeroPoint: 0, dtype: 'uint8' } })],
      randomFloats(k, 9),
    );
    const float: Float32Array = y;
    const byte: Uint8Array = c;
    expect([float.length, byte.length]).toEqual([2, 2]);
    // @ts-expect-error -- weights are no layer
    await expect(Linear.forwardAllAsync([weights], randomFloats(k, 9))).rejects.toThrow('linears[0] must be a Linear');
    // @ts-expect-error -- the results are float32
    expect(() => Linear.forwardAll([new Linear(weights)], randomFloats(k, 9), [new Int8Array(2)])).toThrow('outs[0]');
  });

  it('mixes results of float32 and of codes, and takes codes', () => {
    const x = randomFloats(4 * k, 7);
    const [y, c] = Linear.forwardAll([q, codes], x);
    const float: Float32Array = y;
    const int8: Int8Array = c;
    expectSameBits(float, q.forward(x));
    expect(int8).toEqual(codes.forward(x));
    const rows = quantize(x, [4, k], { dtype: 'uint8', granularity: 'per-row' });
    expectSameBits(Linear.forwardAll([v, q], rows)[1], float);
  });

  it('takes layers with float32 weights together', () => {
    const w = (n: number): PackedWeights =>
      PackedWeights.fromFloat32(randomFloats(n * k, n), [n, k], { scheme: 'float32' });
    const [a, b] = [new Linear(w(40)), new Linear(w(7), { activation: 'relu' })];
    const x = randomFloats(5 * k, 8);
    const [ya, yb] = Linear.forwardAll([a, b], x);
    expectSameBits(ya, a.forward(x));
    expectSameBits(yb, b.forward(x));
  });

  it('writes into outs, which may share memory with x', async () => {
    const x = randomFloats(2 * k, 9);
    const expected = [q.forward(x), v.forward(x)];
    const outs = [x.subarray(0, 128), new Float32Array(2)] as [Float32Array, Float32Array];
    const kept = x.slice();
    const results = Linear.forwardAll([q, v], x, outs);
    expect(results[0]).toBe(outs[0]);
    outs.forEach((out, i) => expectSameBits(out, expected[i]!));
    outs.forEach((out) => out.fill(0));
    const later = await Linear.forwardAllAsync([q, v], kept, { outs });
    expect(later[1]).toBe(outs[1]);
    outs.forEach((out, i) => expectSameBits(out, expected[i]!));
  });

  it('refuses non-finite x if one layer does, and writes nothing', () => {
    const strict = knownLayer(knownWeights(3, k, 10), { nonFinite: 'error' });
    const outs = [new Float32Array(64).fill(42), new Float32Array(3)] as [Float32Array, Float32Array];
    const x = randomFloats(k, 11);
    x[3] = NaN;
    expect(() => Linear.forwardAll([q, strict], x, outs)).toThrow(expect.objectContaining({ code: 'ERR_QGEMM_RANGE' }));
    expect(outs[0].every((value) => value === 42)).toBe(true);
  });

  const x = randomFloats(k, 12);
  const input = { scale: 0.01, zeroPoint: 0, dtype: 'uint8' } as const;
  const symmetric = PackedWeights.fromFloat32(new Float32Array(k), [1, k], { activations: 'symmetric' });
  const float32 = PackedWeights.fromFloat32(new Float32Array(k), [1, k], { scheme: 'float32' });
  const disposed = knownLayer(knownWeights(2, k, 13));
  disposed.dispose();
  it.each<[string, unknown[], string]>([
    ['no array', [q, x], 'ARGUMENT'],
    ['no layers', [[], x], 'SHAPE'],
    ['a stranger', [[q, {}], x], 'ARGUMENT'],
    ['another K', [[q, knownLayer(knownWeights(2, k - 1, 1))], x], 'SHAPE'],
    ['static beside dynamic activations', [[q, knownLayer(knownWeights(2, k, 1), { input })], x], 'ARGUMENT'],
    ['symmetric beside asymmetric activations', [[q, new Linear(symmetric)], x], 'ARGUMENT'],
    ['float32 beside int8 weights', [[q, new Linear(float32)], x], 'ARGUMENT'],
    ['a disposed layer', [[q, disposed], x], 'DISPOSED'],
    ['x of another length', [[q], x.subarray(1)], 'SHAPE'],
    ['too few outs', [[q, v], x, [new Float32Array(64)]], 'SHAPE'],
    ['an out of another length', [[q, v], x, [new Float32Array(64), new Float32Array(2)]], 'SHAPE'],
    ['an out of another class', [[codes], x, [new Float32Array(9)]], 'DTYPE'],
    ['outs that are no array', [[q], x, 7], 'ARGUMENT'],
  ])('refuses %s', async (_, args, code) => {
    const expected = { name: 'QgemmError', code: `ERR_QGEMM_${code}` };
    const forwardAll = Linear.forwardAll as unknown as (...values: unknown[]) => unknown;
    expect(() => forwardAll(...args)).toThrow(expect.objectContaining(expected));
    const [linears, input2, outs] = args;
    const promise = Linear.forwardAllAsync(linears as [Linear], input2 as Float32Array, { outs } as object);
    await expect(promise).rejects.toMatchObject(expected);
  });
});
