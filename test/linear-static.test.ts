import { describe, expect, it } from 'vitest';
import { Linear, PackedWeights, quantizePerTensor, type CodeParameters } from '../lib/index.js';
import { linearInt8 } from './reference/linear.js';
import { knownLayer, knownWeights } from './support/layers.js';
import { randomFloats } from './support/random.js';
import { expectSameBits } from './support/same-bits.js';

const parameters: CodeParameters[] = [
  { scale: Math.fround(2 / 255), zeroPoint: 128, dtype: 'uint8' },
  { scale: Math.fround(0.001), zeroPoint: 0, dtype: 'uint8' }, // saturates
  { scale: Math.fround(0.02), zeroPoint: -13, dtype: 'int8' },
  { scale: 3, zeroPoint: 127, dtype: 'int8' },
];
const [n, k] = [37, 70];

describe('Linear with static activations', () => {
  it.each(parameters)('equals the oracle: scale $scale, zero point $zeroPoint, $dtype', async (input) => {
    for (const asymmetric of [false, true]) {
      const w = knownWeights(n, k, 3, asymmetric);
      const layer = knownLayer(w, { input, activation: 'gelu' });
      for (const m of [1, 2, 5, 33]) {
        const x = randomFloats(m * k, m);
        const expected = linearInt8(x, w.reference, { input, activation: 'gelu' });
        expectSameBits(layer.forward(x), expected, `M = ${m}`);
        expectSameBits(await layer.forwardAsync(x), expected, `M = ${m}, async`);
      }
    }
  });

  it('is what the codes of quantizePerTensor give', () => {
    const w = knownWeights(n, k, 5);
    const x = randomFloats(4 * k, 6);
    for (const input of parameters) {
      const q = quantizePerTensor(x, input.scale, input.zeroPoint, input.dtype);
      const fromCodes = knownLayer(w).forward({ ...q, shape: [4, k] });
      expectSameBits(knownLayer(w, { input }).forward(x), fromCodes);
    }
  });

  it('takes special values as documented: infinities saturate, NaN is the zero point', () => {
    const input = { scale: 0.5, zeroPoint: 10, dtype: 'uint8' } as const;
    const identity = PackedWeights.fromFloat32(Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), [3, 3]);
    const y = new Linear(identity, { input }).forward(Float32Array.of(Infinity, -Infinity, NaN));
    expect([...y].map((value) => Math.round(value * 100) / 100)).toEqual([122.5, -5, 0]);
  });

  it("refuses non-finite x under nonFinite: 'error'", () => {
    const layer = knownLayer(knownWeights(n, k, 7), { input: parameters[0]!, nonFinite: 'error' });
    const x = randomFloats(k, 8);
    expect(layer.forward(x)).toHaveLength(n);
    x[k - 1] = -Infinity;
    expect(() => layer.forward(x)).toThrow(expect.objectContaining({ code: 'ERR_QGEMM_RANGE' }));
  });

  const weights = PackedWeights.fromFloat32(new Float32Array(6), [2, 3]);
  const float32 = PackedWeights.fromFloat32(new Float32Array(6), [2, 3], { scheme: 'float32' });
  it.each<[string, PackedWeights, unknown, string]>([
    ['no object', weights, 1, 'ARGUMENT'],
    ['null', weights, null, 'ARGUMENT'],
    ['no dtype', weights, { scale: 1, zeroPoint: 0 }, 'ARGUMENT'],
    ['another dtype', weights, { scale: 1, zeroPoint: 0, dtype: 'int4' }, 'DTYPE'],
    ['scale 0', weights, { scale: 0, zeroPoint: 0, dtype: 'int8' }, 'RANGE'],
    ['a scale that is 0 in float32', weights, { scale: 1e-60, zeroPoint: 0, dtype: 'int8' }, 'RANGE'],
    ['an infinite scale', weights, { scale: Infinity, zeroPoint: 0, dtype: 'int8' }, 'RANGE'],
    ['a zero point beyond int8', weights, { scale: 1, zeroPoint: 128, dtype: 'int8' }, 'RANGE'],
    ['a zero point beyond uint8', weights, { scale: 1, zeroPoint: -1, dtype: 'uint8' }, 'RANGE'],
    ['an unknown key', weights, { scale: 1, zeroPoint: 0, dtype: 'int8', axis: 0 }, 'ARGUMENT'],
    ['float32 weights', float32, { scale: 1, zeroPoint: 0, dtype: 'int8' }, 'ARGUMENT'],
  ])('refuses %s', (_, w, input, code) => {
    expect(() => new Linear(w, { input: input as CodeParameters })).toThrow(
      expect.objectContaining({ name: 'QgemmError', code: `ERR_QGEMM_${code}` }),
    );
  });
});
