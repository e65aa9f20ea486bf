import { describe, expect, it } from 'vitest';
import { compareEmbeddings, meetsBars } from '../examples/demo/accuracy.mjs';
import { median, nearestPairs, pairSimilarities, rankCorrelation, rowCosines } from '../examples/demo/statistics.mjs';

it('median of odd and even counts', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

it('cosines of rows do not depend on their lengths', () => {
  const cosines = rowCosines(new Float32Array([3, 4, 1, 0, 1, 0]), new Float32Array([6, 8, 0, 2, -5, 0]), 2);
  expect(cosines).toEqual([1, 0, -1]);
});

it('similarities of all pairs, first row first', () => {
  expect([...pairSimilarities(new Float32Array([1, 0, 0, 1, 2, 3]), 2)]).toEqual([0, 2, 3]);
});

describe('rank correlation', () => {
  const of = (x: number[], y: number[]) => rankCorrelation(new Float64Array(x), new Float64Array(y));
  it('is 1 for any increasing map and -1 for a decreasing one', () => {
    expect(of([1, 2, 3, 4], [1, 8, 27, 64])).toBeCloseTo(1, 12);
    expect(of([1, 2, 3, 4], [9, 7, 5, 3])).toBeCloseTo(-1, 12);
  });
  it('between: the example of scipy.stats.spearmanr', () =>
    expect(of([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])).toBeCloseTo(0.8207826816681233, 12));
  it('ties share their mean rank: 4.5 / sqrt(4.5 * 5)', () =>
    expect(of([1, 2, 2, 3], [1, 2, 3, 4])).toBeCloseTo(0.9486832980505138, 12));
  it('is NaN for a constant list', () => expect(of([1, 1], [1, 2])).toBeNaN());
});

it('nearest pairs: most similar first, no row twice, no row with itself', () => {
  const rows = new Float32Array([1, 0, 0.8, 0.1, 0, 1, 0.2, 0.9]);
  expect(nearestPairs(rows, 2, 5).map(({ row, neighbour }) => [row, neighbour])).toEqual([
    [2, 3],
    [0, 1],
  ]);
  expect(nearestPairs(rows.subarray(0, 2), 2, 5)).toEqual([]);
});

it('embeddings that drift miss the bars, equal ones meet them', () => {
  const exact = Float32Array.from({ length: 3 * 512 }, (_, i) => Math.sin(i * i));
  const drifted = exact.map((value, i) => value + 0.1 * Math.cos(i));
  expect(meetsBars(compareEmbeddings(exact, exact))).toBe(true);
  expect(meetsBars(compareEmbeddings(exact, drifted))).toBe(false);
});
