import { describe, expect, test } from 'vitest';
import { chooseQParams, dequantize, quantize, quantizePerTensor } from '../lib/index.js';

// The tables of docs/quantization.md, "Special values".
const x = Float32Array.of(NaN, Infinity, -Infinity, 2, -2, 0, -0, 1e-45);

describe('special values', () => {
  test('are left out of the range, and clipped', () => {
    const q = quantize(x, [8], { dtype: 'int8' });
    expect(q.scales[0]).toBe(Math.fround(2 / 127));
    expect(Array.from(q.data)).toEqual([0, 127, -127, 127, -127, 0, 0, 0]);
    const a = quantize(x, [8], { dtype: 'uint8' });
    expect(Array.from(a.data)).toEqual([127, 255, 0, 254, 0, 127, 127, 127]);
    expect(a.zeroPoints[0]).toBe(127);
  });

  test.each(['torch', 'onnx'] as const)('saturate to the dtype with numerics %s', (numerics) => {
    expect(Array.from(quantize(x, [8], { dtype: 'int8', numerics }).data.slice(0, 3))).toEqual([0, 127, -128]);
  });

  test('give the zero point for NaN wherever it lies', () => {
    for (const size of [1, 15, 16, 17, 33, 100]) {
      const nan = new Float32Array(size).fill(NaN);
      expect(new Set(quantizePerTensor(nan, 0.5, -7, 'int8').data)).toEqual(new Set([-7]));
    }
  });

  test.each([
    ['qgemm', 2 ** -126, 0],
    ['torch', 2 ** -23, 0],
    ['torch-dynamic', Math.fround(0.1), 0],
    ['onnx', 1, 0],
  ] as const)('all zeros, numerics %s: scale %d', (numerics, scale, zeroPoint) => {
    const p = chooseQParams(new Float32Array(40), [40], { dtype: 'uint8', numerics });
    expect([p.scales[0], p.zeroPoints[0]]).toEqual([scale, zeroPoint]);
  });

  test.each([
    ['qgemm', -128],
    ['torch', -128],
    ['torch-dynamic', 127],
    ['onnx', 0],
  ] as const)('all zeros, asymmetric int8, numerics %s: zero point %d', (numerics, zeroPoint) => {
    const q = quantize(new Float32Array(3), [3], { dtype: 'int8', symmetric: false, numerics });
    expect(Array.from(q.data)).toEqual([zeroPoint, zeroPoint, zeroPoint]);
    expect(q.zeroPoints[0]).toBe(zeroPoint);
  });

  test('a constant row uses the whole range up to it', () => {
    const p = chooseQParams(new Float32Array(40).fill(3), [40], { dtype: 'uint8', numerics: 'torch' });
    expect([p.scales[0], p.zeroPoints[0]]).toEqual([Math.fround(3 / 255), 0]);
    expect(dequantize(quantize(new Float32Array(4).fill(-3), [4], { dtype: 'int8' }))[0]).toBeCloseTo(-3, 6);
  });

  test('denormals count as numbers', () => {
    const tiny = Float32Array.of(1e-45, -1e-45, 0);
    const q = quantize(tiny, [3], { dtype: 'int8' });
    expect(q.scales[0]).toBe(2 ** -126);
    expect(Array.from(q.data)).toEqual([0, 0, 0]);
  });

  test('the widest range of float32 keeps a finite scale in every mode', () => {
    const wide = Float32Array.of(3.4028235e38, -3.4028235e38);
    for (const numerics of ['qgemm', 'torch', 'torch-dynamic', 'onnx'] as const) {
      const q = quantize(wide, [2], { dtype: 'uint8', symmetric: false, numerics });
      expect(Number.isFinite(q.scales[0]!)).toBe(true);
      expect(q.data[0]! - q.data[1]!).toBeGreaterThanOrEqual(254);
    }
  });

  test('a scale below 2^-128 saturates everything but zero', () => {
    const q = quantizePerTensor(Float32Array.of(1e-40, -1e-40, 0), 1e-40, 3, 'int8');
    expect(Array.from(q.data)).toEqual([127, -128, 3]);
    const divided = quantizePerTensor(Float32Array.of(1e-40, -1e-40, 0), 1e-40, 3, 'int8', { numerics: 'onnx' });
    expect(Array.from(divided.data)).toEqual([4, 2, 3]);
  });
});

describe('empty tensors', () => {
  test.each([
    ['qgemm', 2 ** -126],
    ['torch', 1],
    ['torch-dynamic', Math.fround(0.1)],
    ['onnx', 1],
  ] as const)('per tensor, numerics %s: scale %d', (numerics, scale) => {
    const q = quantize(new Float32Array(0), [0], { dtype: 'uint8', numerics });
    expect([q.scales[0], q.zeroPoints[0], q.data.length]).toEqual([scale, 0, 0]);
    expect(dequantize(q)).toHaveLength(0);
  });

  test('channels without elements have parameters; no channels have none', () => {
    expect(quantize(new Float32Array(0), [3, 0], { dtype: 'int8', axis: 0 }).scales).toHaveLength(3);
    expect(quantize(new Float32Array(0), [0, 3], { dtype: 'int8', axis: 0 }).scales).toHaveLength(0);
    expect(quantize(new Float32Array(0), [2, 0], { dtype: 'int8', granularity: 'per-row' }).scales).toHaveLength(2);
    expect(quantize(new Float32Array(0), [2, 2, 0], { dtype: 'int8', granularity: 'per-row' }).scales).toHaveLength(0);
  });

  test('a scalar has the shape []', () => {
    const q = quantize(Float32Array.of(-4), [], { dtype: 'int8' });
    expect([q.data[0], q.shape]).toEqual([-127, []]);
  });
});

describe('nonFinite: error', () => {
  test.each([NaN, Infinity, -Infinity])('%d is named with its place', (value) => {
    const bad = new Float32Array(50000).fill(1);
    bad[40001] = value;
    const message = `x[40001] must be finite with nonFinite 'error', got ${value}`;
    const error = expect.objectContaining({ code: 'ERR_QGEMM_RANGE', message }) as unknown;
    expect(() => quantize(bad, [50000], { dtype: 'int8', nonFinite: 'error' })).toThrow(error as Error);
    expect(() => quantizePerTensor(bad, 1, 0, 'int8', { nonFinite: 'error' })).toThrow(error as Error);
    bad[40001] = 0;
    expect(quantize(bad, [50000], { dtype: 'int8', nonFinite: 'error' }).data[0]).toBe(127);
  });
});
