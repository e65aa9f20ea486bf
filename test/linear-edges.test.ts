import { describe, expect, it } from 'vitest';
import { Linear, PackedWeights } from '../lib/index.js';
import { randomFloats } from './support/random.js';
import { expectSameBits } from './support/same-bits.js';

const [m, n, k] = [5, 40, 33];
const weights = randomFloats(n * k, 1);
const x = randomFloats(m * k, 2);
const schemes = ['int8', 'float32'] as const;

describe.each(schemes)('Linear.forward, where x and out lie: %s', (scheme) => {
  const linear = new Linear(PackedWeights.fromFloat32(weights, [n, k], { scheme }));
  const expected = linear.forward(x);

  it('writes into out, all of it and nothing else, and returns it', () => {
    const memory = new Float32Array(m * n + 8).fill(42);
    const out = memory.subarray(4, 4 + m * n);
    expect(linear.forward(x, out)).toBe(out);
    expectSameBits(out, expected);
    expect([...memory.subarray(0, 4), ...memory.subarray(4 + m * n)]).toEqual(Array(8).fill(42));
  });

  it('reads sub-views and does not write to x', () => {
    const memory = new Float32Array(m * k + 3);
    memory.set(x, 3);
    const copy = memory.slice();
    expectSameBits(linear.forward(memory.subarray(3)), expected);
    expectSameBits(memory, copy);
  });

  it('takes views on a SharedArrayBuffer as x and out', async () => {
    const sharedX = new Float32Array(new SharedArrayBuffer(m * k * 4));
    const sharedOut = new Float32Array(new SharedArrayBuffer(m * n * 4));
    sharedX.set(x);
    expectSameBits(linear.forward(sharedX, sharedOut), expected);
    sharedOut.fill(0);
    expect(await linear.forwardAsync(sharedX, { out: sharedOut })).toBe(sharedOut);
    expectSameBits(sharedOut, expected);
  });

  it('takes views on a resizable ArrayBuffer', () => {
    // Newer than the library types of es2023.
    type Resizable = ArrayBuffer & { resize(bytes: number): void };
    const Buffers = ArrayBuffer as unknown as new (bytes: number, options: { maxByteLength: number }) => Resizable;
    const buffer = new Buffers(m * k * 4, { maxByteLength: m * k * 8 });
    const view = new Float32Array(buffer);
    view.set(x);
    expectSameBits(linear.forward(view), expected);
    buffer.resize(m * k * 8);
    expect(linear.forward(view)).toHaveLength(2 * m * n);
  });

  it('gives the same when out shares memory with x', () => {
    for (const shift of [0, 1, 7, k]) {
      const memory = new Float32Array(Math.max(m * k, m * n) + 2 * shift);
      memory.set(x, shift);
      const y = linear.forward(memory.subarray(shift, shift + m * k), memory.subarray(0, m * n));
      expectSameBits(y, expected);
    }
  });

  it('copies the bias', () => {
    const bias = randomFloats(n, 3);
    const w = PackedWeights.fromFloat32(weights, [n, k], { scheme });
    const layer = new Linear(w, { bias });
    const before = layer.forward(x);
    bias.fill(1e9);
    expectSameBits(layer.forward(x), before);
  });
});

describe.each(schemes)('Linear.forward, empty dimensions: %s', (scheme) => {
  const make = (rows: number, depth: number, bias?: Float32Array): Linear =>
    new Linear(PackedWeights.fromFloat32(new Float32Array(rows * depth), [rows, depth], { scheme }), {
      ...(bias ? { bias } : {}),
      activation: 'relu',
    });

  it('M = 0 gives an empty array, also asynchronously', async () => {
    expect(make(3, 4).forward(new Float32Array(0))).toHaveLength(0);
    expect(await make(3, 4).forwardAsync(new Float32Array(0))).toHaveLength(0);
  });

  it('N = 0 gives an empty array', () => {
    expect(make(0, 4).forward(new Float32Array(8))).toHaveLength(0);
  });

  it('K = 0 gives the activation of the bias, in as many rows as out has', () => {
    const layer = make(3, 0, Float32Array.of(1, -2, 3));
    expect(layer.forward(new Float32Array(0))).toHaveLength(0);
    expect([...layer.forward(new Float32Array(0), new Float32Array(6))]).toEqual([1, 0, 3, 1, 0, 3]);
    expect(() => layer.forward(new Float32Array(0), new Float32Array(7))).toThrow(/out must have a multiple of N = 3/);
  });
});

describe('Linear.forward, non-finite and denormal numbers', () => {
  const w = PackedWeights.fromFloat32(weights, [n, k]);
  const identity = PackedWeights.fromFloat32(Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), [3, 3]);

  it('clips infinities to the ends of the row and NaN to 0', () => {
    const y = new Linear(identity).forward(Float32Array.of(Infinity, NaN, 2, -Infinity, 1, NaN));
    const steps = 2 / 255;
    expect(y[0]).toBeCloseTo(2, 5);
    expect(y[1]).toBe(0);
    expect(y[2]).toBeCloseTo(2, 5);
    expect(Math.abs(y[3]!)).toBeLessThan(steps);
    expect(y[4]).toBeCloseTo(1, 5);
    expect(y[5]).toBe(0);
  });

  it.each([NaN, Infinity, -Infinity])("refuses %d under nonFinite: 'error' and leaves out untouched", async (bad) => {
    const layer = new Linear(w, { nonFinite: 'error' });
    const input = x.slice();
    input[m * k - 1] = bad;
    const out = new Float32Array(m * n).fill(42);
    expect(() => layer.forward(input, out)).toThrow(expect.objectContaining({ code: 'ERR_QGEMM_RANGE' }));
    await expect(layer.forwardAsync(input, { out })).rejects.toMatchObject({ code: 'ERR_QGEMM_RANGE' });
    expect(out.every((value) => value === 42)).toBe(true);
    expect(layer.forward(x)).toHaveLength(m * n);
  });

  it('gives finite results for rows of denormals and of the largest numbers', () => {
    const layer = new Linear(identity);
    const y = layer.forward(Float32Array.of(1e-42, -1e-42, 0, 3e38, -3e38, 1));
    expect([...y].every(Number.isFinite)).toBe(true);
    expect([...y.subarray(0, 3)].map((value) => Math.abs(value))).toEqual([0, 0, 0]);
  });
});
