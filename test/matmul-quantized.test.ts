import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpuInfo, matmulQuantized, matmulQuantizedAsync, setNumThreads } from '../lib/index.js';
import { matmulQuantized as oracle, type Sizes } from './reference/matmul-quantized.js';
import { scaled } from './support/emulated.js';
import { randomFloats } from './support/random.js';
import { runs } from './support/runs.js';
import { expectSameBits } from './support/same-bits.js';

function operands({ batch, m, n, k }: Sizes, seed: number): [Float32Array, Float32Array] {
  return [randomFloats(batch * m * k, seed), randomFloats(batch * n * k, seed + 1)];
}

const sizes = fc.record({
  batch: fc.integer({ min: 0, max: 4 }),
  m: fc.integer({ min: 0, max: 20 }),
  n: fc.integer({ min: 0, max: 70 }),
  k: fc.integer({ min: 0, max: 140 }),
  transposeB: fc.boolean(),
});

describe('matmulQuantized', () => {
  it('equals the oracle for any sizes', () => {
    fc.assert(
      fc.property(sizes, fc.double({ min: -3, max: 3, noNaN: true }), fc.nat(1000), (s, scale, seed) => {
        const [a, b] = operands(s, seed);
        expectSameBits(matmulQuantized(a, b, { ...s, scale }), oracle(a, b, s, scale));
      }),
      { numRuns: runs(scaled(60, 20)) },
    );
  });

  it('takes non-finite values as documented: infinities are the ends of a row or column, NaN is 0', () => {
    for (const transposeB of [false, true]) {
      const s = { batch: 2, m: 5, n: 33, k: 40, transposeB };
      const [a, b] = operands(s, 1);
      [NaN, Infinity, -Infinity].forEach((value, i) => {
        a[7 * i] = value;
        b[11 * i + 3] = value;
      });
      expectSameBits(matmulQuantized(a, b, s), oracle(a, b, s));
    }
  });

  it('is close to the product in float64', () => {
    const s = { batch: 3, m: 20, n: 30, k: 64, transposeB: true };
    const [a, b] = operands(s, 3);
    const c = matmulQuantized(a, b, { ...s, scale: 1 / 8 });
    let [error, power] = [0, 0];
    c.forEach((value, i) => {
      const [item, row, column] = [Math.floor(i / 600), Math.floor((i % 600) / 30), i % 30];
      let exact = 0;
      for (let p = 0; p < 64; p++) exact += a[(item * 20 + row) * 64 + p]! * b[(item * 30 + column) * 64 + p]!;
      error += (value - exact / 8) ** 2;
      power += (exact / 8) ** 2;
    });
    expect(10 * Math.log10(power / error)).toBeGreaterThan(35);
  });

  it('gives the same bits on any number of threads, and for each item alone', () => {
    const s = { batch: 12, m: 64, n: 100, k: 64, transposeB: false };
    const [a, b] = operands(s, 4);
    const all = matmulQuantized(a, b, s);
    const threads = cpuInfo().numThreads;
    try {
      for (const count of [1, 2, 5]) {
        setNumThreads(count);
        expectSameBits(matmulQuantized(a, b, s), all);
      }
    } finally {
      setNumThreads(threads);
    }
    const one = matmulQuantized(a.subarray(0, 64 * 64), b.subarray(0, 6400), { ...s, batch: 1 });
    expectSameBits(one, all.subarray(0, 6400));
  });

  it('writes into out, which may lie over a and b', () => {
    const s = { batch: 2, m: 16, n: 16, k: 16, transposeB: true };
    const [a, b] = operands(s, 5);
    const expected = matmulQuantized(a, b, s);
    for (const at of [0, 3, 512, 600]) {
      const memory = new Float32Array(1200);
      memory.set(a);
      memory.set(b, 512);
      const out = memory.subarray(at, at + 512);
      expect(matmulQuantized(memory.subarray(0, 512), memory.subarray(512, 1024), { ...s, out })).toBe(out);
      expectSameBits(out, expected);
    }
  });

  const [a, b] = [new Float32Array(6), new Float32Array(6)];
  const good = { m: 2, n: 2, k: 3 };
  it.each<[string, unknown[], string]>([
    ['no sizes', [a, b], 'ARGUMENT'],
    ['a missing size', [a, b, { m: 2, n: 2 }], 'ARGUMENT'],
    ['a list', [[1], b, good], 'ARGUMENT'],
    ['another class', [a, new Float64Array(6), good], 'DTYPE'],
    ['a of another length', [a, b, { ...good, m: 3 }], 'SHAPE'],
    ['b of another length', [a, b, { ...good, n: 3 }], 'SHAPE'],
    ['out of another length', [a, b, { ...good, out: new Float32Array(5) }], 'SHAPE'],
    ['a fraction', [a, b, { ...good, m: 1.5 }], 'RANGE'],
    ['a negative batch', [a, b, { ...good, batch: -1 }], 'RANGE'],
    ['transposeB that is no boolean', [a, b, { ...good, transposeB: 1 }], 'ARGUMENT'],
    ['a scale that is no number', [a, b, { ...good, scale: '1' }], 'ARGUMENT'],
    ['an infinite scale', [a, b, { ...good, scale: 1e39 }], 'RANGE'],
    ['K beyond int32 sums', [a, b, { ...good, k: 65_794 }], 'LIMIT'],
    ['sizes beyond 2^53', [a, b, { batch: 2 ** 30, m: 2 ** 30, n: 0, k: 3 }], 'LIMIT'],
    ['an unknown option', [a, b, { ...good, transposeA: true }], 'ARGUMENT'],
  ])('refuses %s', async (_, args, code) => {
    const expected = { name: 'QgemmError', code: `ERR_QGEMM_${code}` };
    expect(() => (matmulQuantized as (...values: unknown[]) => unknown)(...args)).toThrow(
      expect.objectContaining(expected),
    );
    const promise = (matmulQuantizedAsync as (...values: unknown[]) => Promise<unknown>)(...args);
    await expect(promise).rejects.toMatchObject(expected);
  });
});

describe('matmulQuantizedAsync', () => {
  const s = { batch: 6, m: 64, n: 64, k: 64, transposeB: true };
  const [a, b] = operands(s, 6);
  const expected = matmulQuantized(a, b, s);

  it('resolves to the same bits, whatever happens to a and b afterwards', async () => {
    const [x, y] = [a.slice(), b.slice()];
    const promise = matmulQuantizedAsync(x, y, s);
    x.fill(NaN);
    structuredClone(y.buffer, { transfer: [y.buffer] });
    expectSameBits(await promise, expected);
  });

  it('writes out when it resolves; an out that was transferred rejects', async () => {
    const out = new Float32Array(expected.length).fill(42);
    const promise = matmulQuantizedAsync(a, b, { ...s, out });
    expect(out.every((value) => value === 42)).toBe(true);
    expect(await promise).toBe(out);
    expectSameBits(out, expected);
    const later = matmulQuantizedAsync(a, b, { ...s, out });
    structuredClone(out.buffer, { transfer: [out.buffer] });
    await expect(later).rejects.toMatchObject({ code: 'ERR_QGEMM_DETACHED' });
  });

  it('is cancelled by a signal', async () => {
    const controller = new AbortController();
    const promise = matmulQuantizedAsync(a, b, { ...s, signal: controller.signal });
    controller.abort('enough');
    await expect(promise).rejects.toBe('enough');
    await expect(matmulQuantizedAsync(a, b, { ...s, signal: controller.signal })).rejects.toBe('enough');
  });

  it('takes empty batches', async () => {
    const empty = new Float32Array(0);
    expect(await matmulQuantizedAsync(empty, empty, { batch: 0, m: 2, n: 2, k: 2 })).toHaveLength(0);
    expect([...(await matmulQuantizedAsync(empty, empty, { m: 1, n: 2, k: 0 }))]).toEqual([0, 0]);
  });
});
