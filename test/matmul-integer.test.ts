import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matmulInteger, QgemmError, type MatmulIntegerOptions } from '../lib/index.js';
import { matmulInteger as oracle } from './reference/matmul-integer.js';
import { scaled } from './support/emulated.js';

type Codes = Int8Array | Uint8Array;

/** Codes with many at the limits, where sums saturate first. */
const codes = (signed: boolean, length: number, seed: readonly number[]): Codes => {
  const limits = signed ? [-128, -127, 127, 0] : [0, 1, 255, 128];
  const at = (i: number): number => seed[(i * 31) % seed.length]!;
  const values = Array.from({ length }, (_, i) => (at(i) < 128 ? limits[at(i) % 4]! : at(i)));
  return signed ? Int8Array.from(values) : Uint8Array.from(values);
};

const problem = fc.record({
  m: fc.integer({ min: 0, max: 20 }),
  n: fc.integer({ min: 0, max: 70 }),
  k: fc.integer({ min: 0, max: 140 }),
  aSigned: fc.boolean(),
  bSigned: fc.boolean(),
  aZero: fc.constantFrom(0, 1, 127, 128, 255),
  bZero: fc.constantFrom(0, 1, 127, 128, 255),
  seed: fc.array(fc.nat(255), { minLength: 1, maxLength: 64 }),
});

describe('matmulInteger', () => {
  test('is the sum of products, whatever the signs and zero points', () => {
    fc.assert(
      fc.property(problem, ({ m, n, k, aSigned, bSigned, aZero, bZero, seed }) => {
        const a = codes(aSigned, m * k, seed);
        const b = codes(bSigned, k * n, [...seed].reverse());
        const aZeroPoint = aSigned ? aZero - 128 : aZero;
        const bZeroPoint = bSigned ? bZero - 128 : bZero;
        const expected = oracle(a, b, m, n, k, aZeroPoint, bZeroPoint);
        expect(matmulInteger(a, b, m, n, k, { aZeroPoint, bZeroPoint })).toEqual(expected);
      }),
      { numRuns: scaled(150, 40) },
    );
  });

  test('wraps modulo 2^32', () => {
    const k = 70_000; // 255 * 128 * 70,000 is beyond 2^31
    const a = new Uint8Array(2 * k).fill(255);
    const b = new Int8Array(k).fill(-128);
    const expected = Number(BigInt.asIntN(32, -255n * 128n * BigInt(k)));
    expect(Array.from(matmulInteger(a, b, 2, 1, k))).toEqual([expected, expected]);
    expect(expected).toBeGreaterThan(0);
    const zero = { aZeroPoint: 0, bZeroPoint: 127 };
    expect(matmulInteger(a, b, 2, 1, k, zero)).toEqual(oracle(a, b, 2, 1, k, 0, 127));
  });

  test('zero points default to 0', () => {
    expect(Array.from(matmulInteger(Int8Array.of(1, -2), Uint8Array.of(3, 4), 1, 1, 2))).toEqual([-5]);
  });

  test('an empty sum is 0, an empty side gives nothing', () => {
    expect(Array.from(matmulInteger(new Int8Array(0), new Int8Array(0), 2, 3, 0, { aZeroPoint: 5 }))).toEqual([
      0, 0, 0, 0, 0, 0,
    ]);
    expect(matmulInteger(new Int8Array(0), new Int8Array(6), 0, 3, 2)).toHaveLength(0);
    expect(matmulInteger(new Int8Array(4), new Int8Array(0), 2, 0, 2)).toHaveLength(0);
  });

  const a = new Int8Array(6);
  const b = new Uint8Array(6);
  const call =
    (m: unknown, n: unknown, k: unknown, options?: unknown, left: unknown = a, right: unknown = b) =>
    (): Int32Array =>
      matmulInteger(
        left as Codes,
        right as Codes,
        m as number,
        n as number,
        k as number,
        options as MatmulIntegerOptions,
      );

  test.each<[string, () => unknown, string, string]>([
    ['a of floats', call(2, 2, 3, {}, new Float32Array(6)), 'ERR_QGEMM_DTYPE', 'a must be an Int8Array or Uint8Array'],
    ['clamped bytes', call(2, 2, 3, {}, a, new Uint8ClampedArray(6)), 'ERR_QGEMM_DTYPE', 'b must be an Int8Array'],
    ['a list', call(2, 2, 3, {}, [1]), 'ERR_QGEMM_ARGUMENT', 'a must be an Int8Array or Uint8Array, got [1]'],
    ['a of another length', call(3, 2, 3), 'ERR_QGEMM_SHAPE', 'a must have 9 elements (m * k = 3 * 3), got 6'],
    ['b of another length', call(2, 3, 3), 'ERR_QGEMM_SHAPE', 'b must have 9 elements (k * n = 3 * 3), got 6'],
    ['a negative size', call(-2, 2, 3), 'ERR_QGEMM_RANGE', 'm must be an integer >= 0, got -2'],
    ['a fraction', call(2, 2, 1.5), 'ERR_QGEMM_RANGE', 'k must be an integer >= 0, got 1.5'],
    ['sizes beyond 2^53', call(2 ** 40, 2, 2 ** 40), 'ERR_QGEMM_LIMIT', 'm * k must be less than 2^53'],
    ['a zero point outside int8', call(2, 2, 3, { aZeroPoint: 128 }), 'ERR_QGEMM_RANGE', 'options.aZeroPoint must be'],
    ['a zero point outside uint8', call(2, 2, 3, { bZeroPoint: -1 }), 'ERR_QGEMM_RANGE', 'options.bZeroPoint must be'],
    ['an unknown option', call(2, 2, 3, { zeroPoint: 1 }), 'ERR_QGEMM_ARGUMENT', 'options has no option "zeroPoint"'],
  ])('refuses %s', (_name, refused, code, message) => {
    expect(refused).toThrow(QgemmError);
    expect(refused).toThrow(expect.objectContaining({ code }) as Error);
    expect(refused).toThrow(message);
  });

  test('refuses a result that no memory can hold', () => {
    const empty = new Int8Array(0);
    expect(() => matmulInteger(empty, empty, 2 ** 26, 2 ** 26, 0)).toThrow(
      expect.objectContaining({ code: 'ERR_QGEMM_OUT_OF_MEMORY' }) as Error,
    );
  });
});
