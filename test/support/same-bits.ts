import { expect } from 'vitest';

const bytesOf = (array: Float32Array): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Whether two arrays hold the same bits: NaN equals NaN, 0 differs from -0. */
export const sameBits = (a: Float32Array, b: Float32Array): boolean => Buffer.compare(bytesOf(a), bytesOf(b)) === 0;

/** Expects the same bits, and names the first element that differs. */
export function expectSameBits(actual: Float32Array, expected: Float32Array, what = 'result'): void {
  expect(actual.length, `${what}: length`).toBe(expected.length);
  if (sameBits(actual, expected)) return;
  const at = expected.findIndex((value, i) => !Object.is(value, actual[i]));
  expect.fail(`${what}: element ${at} of ${expected.length} is ${actual[at]}, expected ${expected[at]}`);
}
