import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorStats, type Histogram } from '../lib/error-stats.js';
import { native } from '../lib/native.js';
import { runs } from './support/runs.js';
import { values } from './support/safetensors.js';

/** The histogram as its definition reads: a power of two above all magnitudes, 128 bins of equal width. */
function histogramOf(numbers: readonly number[]): Histogram {
  const most = Math.max(0, ...numbers.map(Math.abs));
  let range = most === 0 ? 0 : 2 ** Math.floor(Math.log2(most));
  while (most > 0 && range <= most) range *= 2;
  while (range / 2 > most) range /= 2;
  const counts = Array<number>(128).fill(0);
  for (const number of numbers) counts[range === 0 ? 64 : 64 + Math.floor((number / range) * 64)]! += 1;
  return { range, counts };
}

function statsOf(x: Float32Array, y: Float32Array, pieces: readonly number[] = []): ErrorStats {
  const stats = new ErrorStats();
  const cuts = [0, ...pieces.filter((cut) => cut < x.length).sort((a, b) => a - b), x.length];
  for (let i = 1; i < cuts.length; ++i) stats.add(x.subarray(cuts[i - 1], cuts[i]), y.subarray(cuts[i - 1], cuts[i]));
  return stats;
}

describe('error statistics', () => {
  it('count values and errors as the definition of the histogram reads', () => {
    const x = values(1000, 1);
    const y = x.map((value) => Math.round(value * 127) / 127);
    const stats = statsOf(x, y);
    expect(stats.values).toEqual(histogramOf([...x]));
    expect(stats.errors).toEqual(histogramOf([...x].map((value, i) => y[i]! - value)));
    expect(stats.figures).toEqual(native.compareFloat32(x, y));
  });

  it('do not depend on where a tensor is cut or on the order of its values', () => {
    const number = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(0, -0, 1, -1, 0.5, 2 ** -149),
    );
    const pair = fc.tuple(number, number);
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 60 }), fc.array(fc.nat(60), { maxLength: 3 }), (pairs, cuts) => {
        const [x, y] = [Float32Array.from(pairs, ([a]) => a), Float32Array.from(pairs, ([, b]) => b)];
        const stats = statsOf(x, y, cuts);
        expect(stats.values).toEqual(histogramOf([...x]));
        expect(stats.errors).toEqual(histogramOf([...x].map((value, i) => y[i]! - value)));
        expect(statsOf(x.toReversed(), y.toReversed()).errors).toEqual(stats.errors);
      }),
      { numRuns: runs(300) },
    );
  });

  it('leave NaN and infinities out, and say when they are not the same on both sides', () => {
    const x = Float32Array.of(1, NaN, Infinity, -2);
    const same = statsOf(x, x);
    expect(same.figures).toEqual({ sqnr: Infinity, cosine: 1, maxError: 0 });
    expect(same.values).toEqual(histogramOf([1, -2]));
    expect(same.errors).toEqual(histogramOf([0, 0]));
    expect(statsOf(x, Float32Array.of(1, 0, Infinity, -2)).figures).toEqual({ sqnr: NaN, cosine: NaN, maxError: NaN });
  });

  it('check lengths and types, and survive any state', () => {
    const call = native as unknown as Record<string, (...args: unknown[]) => unknown>;
    const [two, three] = [new Float32Array(2), new Float32Array(3)];
    for (const args of [[], [new Float64Array(3), two, two], [new Float64Array(266), two, three], [two, two, two]]) {
      expect(() => call['accumulateErrors']!(...args)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^ERR_QGEMM_/) }),
      );
    }
    for (const state of [NaN, -1, Infinity, -Infinity, 1e308, 5e-324]) {
      const stats = new Float64Array(266).fill(state);
      native.accumulateErrors(stats, values(100), values(100, 2));
      expect(stats[0]).toEqual(state + 100);
    }
  });
});
