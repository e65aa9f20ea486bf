import { describe, expect, it } from 'vitest';
import { Linear, PackedWeights, quantize, type QuantizedInput } from '../lib/index.js';
import { linearRows, quantizeRow } from './reference/linear.js';
import { knownLayer, knownWeights } from './support/layers.js';
import { randomFloats, randomIntegers } from './support/random.js';
import { expectSameBits } from './support/same-bits.js';

const [n, k] = [50, 67];

function randomInput(m: number, dtype: 'int8' | 'uint8', perRow: boolean): QuantizedInput {
  const lowest = dtype === 'int8' ? -128 : 0;
  const codes = randomIntegers(m * k, lowest, lowest + 255, m);
  const count = perRow ? m : 1;
  return {
    data: dtype === 'int8' ? Int8Array.from(codes) : Uint8Array.from(codes),
    shape: [m, k],
    dtype,
    scales: randomFloats(count, m + 1).map((value) => Math.abs(value) + 0.01),
    zeroPoints: Int32Array.from(randomIntegers(count, lowest, lowest + 255, m + 2)),
    axis: perRow ? 0 : null,
  };
}

describe('Linear.forward on rows of codes', () => {
  it.each([
    ['int8', false],
    ['int8', true],
    ['uint8', false],
    ['uint8', true],
  ] as const)('equals the oracle: %s, one scale per row: %s', async (dtype, perRow) => {
    for (const asymmetric of [false, true]) {
      const w = knownWeights(n, k, 1, asymmetric);
      const options = { bias: randomFloats(n, 2), activation: 'silu' } as const;
      const layer = knownLayer(w, options);
      for (const m of [1, 2, 9, 40]) {
        const q = randomInput(m, dtype, perRow);
        const rows = Array.from({ length: m }, (_, i) => ({
          codes: Array.from(q.data.subarray(i * k, (i + 1) * k)),
          scale: q.scales[perRow ? i : 0]!,
          zeroPoint: q.zeroPoints[perRow ? i : 0]!,
        }));
        const expected = linearRows(rows, w.reference, options);
        expectSameBits(layer.forward(q), expected, `M = ${m}`);
        expectSameBits(await layer.forwardAsync(q), expected, `M = ${m}, async`);
      }
    }
  });

  it('is forward of the float32 rows, where they are quantized as forward does it', () => {
    const layer = knownLayer(knownWeights(n, k, 4));
    const x = randomFloats(6 * k, 5);
    const q = quantize(x, [6, k], { dtype: 'uint8', granularity: 'per-row' });
    expect([...q.data.subarray(0, k)]).toEqual(quantizeRow(x.subarray(0, k)).codes);
    expectSameBits(layer.forward(q), layer.forward(x));
  });

  it('snapshots codes, scales and zero points of an asynchronous call', async () => {
    const layer = knownLayer(knownWeights(512, k, 4));
    const q = randomInput(64, 'uint8', true);
    const expected = layer.forward(q);
    const promise = layer.forwardAsync(q);
    q.data.fill(7);
    q.scales.fill(9);
    structuredClone(q.zeroPoints.buffer, { transfer: [q.zeroPoints.buffer as ArrayBuffer] });
    expectSameBits(await promise, expected);
  });

  it('takes no rows, and K = 0', () => {
    const empty = { ...randomInput(1, 'int8', false), data: new Int8Array(0) };
    expect(knownLayer(knownWeights(n, k, 4)).forward({ ...empty, shape: [0, k] })).toHaveLength(0);
    const layer = new Linear(PackedWeights.fromFloat32(new Float32Array(0), [2, 0]), { bias: Float32Array.of(1, 2) });
    expect([...layer.forward({ ...empty, shape: [2, 0] })]).toEqual([1, 2, 1, 2]);
  });

  const layer = knownLayer(knownWeights(n, k, 4));
  const q = randomInput(2, 'int8', true);
  it.each<[string, object, string]>([
    ['a shape of another K', { shape: [k, 2] }, 'SHAPE'],
    ['three dimensions', { shape: [2, k, 1] }, 'SHAPE'],
    ['a shape that is no array', { shape: 5 }, 'ARGUMENT'],
    ['too few codes', { shape: [3, k] }, 'SHAPE'],
    ['codes of the other dtype', { dtype: 'uint8' }, 'DTYPE'],
    ['another dtype', { dtype: 'int4' }, 'DTYPE'],
    ['a scale per column', { axis: 1 }, 'SHAPE'],
    ['groups', { groupSize: k, axis: 1, scales: Float32Array.of(1, 1), zeroPoints: Int32Array.of(0, 0) }, 'ARGUMENT'],
    ['a missing scale', { scales: Float32Array.of(1), axis: 0 }, 'SHAPE'],
    ['no scales', { scales: undefined }, 'ARGUMENT'],
    ['a scale of 0', { scales: Float32Array.of(1, 0) }, 'RANGE'],
    ['a zero point outside int8', { zeroPoints: Int32Array.of(0, 128) }, 'RANGE'],
  ])('refuses %s', async (_, change, code) => {
    const bad = { ...q, ...change } as QuantizedInput;
    const expected = { name: 'QgemmError', code: `ERR_QGEMM_${code}` };
    expect(() => layer.forward(bad)).toThrow(expect.objectContaining(expected));
    await expect(layer.forwardAsync(bad)).rejects.toMatchObject(expected);
  });

  it('refuses codes for float32 weights', () => {
    const float32 = PackedWeights.fromFloat32(new Float32Array(n * k), [n, k], { scheme: 'float32' });
    expect(() => new Linear(float32).forward(q)).toThrow(expect.objectContaining({ code: 'ERR_QGEMM_DTYPE' }));
  });
});
