import { describe, expect, it } from 'vitest';
import { native } from '../lib/native.js';

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);
const dims = (...numbers: number[]): Float64Array => Float64Array.from(numbers);
const code = (name: string): Error => expect.objectContaining({ code: `ERR_QGEMM_${name}` }) as Error;

describe('byte tools of the addon', () => {
  it('copy a transposed matrix of elements of any size, at any address', () => {
    for (const size of [1, 2, 4, 8]) {
      const source = bytes(6 * size + 1).subarray(1);
      const target = new Uint8Array(6 * size + 3).subarray(3);
      native.stridedCopy(source, target, size, dims(3, 1, 2, 2, 3, 1));
      const elements = [0, 3, 1, 4, 2, 5].map((i) => [...source.subarray(i * size, (i + 1) * size)]);
      expect([...target]).toEqual(elements.flat());
    }
  });

  it('refuse what would leave an array, and write nothing then', () => {
    const target = new Uint8Array(8).fill(9);
    const copy = (list: Float64Array, size = 1): void => native.stridedCopy(bytes(8), target, size, list);
    for (const list of [dims(9, 1, 0), dims(2, 8, 1), dims(2, 1, 8), dims(3, 2 ** 52, 1), dims(2 ** 52, 2 ** 52, 0)]) {
      expect(() => copy(list)).toThrow(code('SHAPE'));
    }
    expect(() => copy(dims(5, 1, 1), 2)).toThrow(code('SHAPE'));
    expect(() => copy(dims(1, 2))).toThrow(code('SHAPE'));
    expect(() => copy(new Float64Array(3 * 65).fill(1))).toThrow(code('SHAPE'));
    for (const bad of [-1, 0.5, NaN, Infinity, 2 ** 53]) expect(() => copy(dims(1, bad, 1))).toThrow(code('RANGE'));
    expect(() => copy(dims(1, 1, 1), 3)).toThrow(code('RANGE'));
    expect(() => native.stridedCopy(bytes(8), new Float32Array(8) as never, 1, dims(1, 1, 1))).toThrow(code('DTYPE'));
    expect([...target]).toEqual(Array(8).fill(9));
    copy(dims(0, 1, 1));
    copy(dims());
    expect(target[0]).toBe(0);
  });

  it('compute the CRC-32 of zip, in parts too', () => {
    const text = Buffer.from('123456789');
    expect(native.crc32(text, 0)).toBe(0xcbf43926);
    expect(native.crc32(text.subarray(4), native.crc32(text.subarray(0, 4), 0))).toBe(0xcbf43926);
    expect(native.crc32(new Uint8Array(0), 0)).toBe(0);
    expect(() => native.crc32(text, 2 ** 32)).toThrow(code('RANGE'));
  });
});
