import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ByteSource } from '../lib/formats/file.js';
import { extentOf, stridedReader } from '../lib/formats/strided.js';
import { runs } from './support/runs.js';

/** A source of 4-byte elements that count up, which notes how much of it is read. */
function counting(elements: number): ByteSource & { calls: number; bytes: number } {
  const data = new Uint32Array(elements);
  for (let i = 0; i < elements; i++) data[i] = i;
  const source = {
    path: 'memory',
    size: data.byteLength,
    calls: 0,
    bytes: 0,
    readInto(target: Uint8Array, position: number): void {
      expect(position + target.length).toBeLessThanOrEqual(data.byteLength);
      source.calls += 1;
      source.bytes += target.length;
      target.set(new Uint8Array(data.buffer, position, target.length));
    },
  };
  return source;
}

/** The elements of a view one by one. */
function elementsOf(shape: readonly number[], strides: readonly number[], offset: number): Uint32Array {
  const elements = new Uint32Array(shape.reduce((product, dim) => product * dim, 1));
  let count = 0;
  const walk = (d: number, at: number): void => {
    if (d === shape.length) elements[count++] = at;
    else for (let i = 0; i < shape[d]!; i++) walk(d + 1, at + i * strides[d]!);
  };
  walk(0, offset);
  return elements;
}

function read(source: ByteSource, shape: number[], strides: number[], offset: number, piece: number): Uint32Array {
  const reader = stridedReader({ source, offset: 4 * offset, elementBytes: 4, shape, strides });
  const bytes = new Uint8Array(4 * shape.reduce((product, dim) => product * dim, 1));
  for (let at = 0; at < bytes.length; at += piece) reader(bytes.subarray(at, at + piece), at);
  return new Uint32Array(bytes.buffer);
}

describe('strided views', () => {
  it('any view reads as its elements one by one, in pieces of any size', () => {
    const dim = fc.record({ size: fc.integer({ min: 0, max: 9 }), gap: fc.nat(3), repeat: fc.nat(7) });
    const views = fc.record({ dims: fc.array(dim, { maxLength: 5 }), order: fc.nat(), offset: fc.nat(5) });
    fc.assert(
      fc.property(views, fc.integer({ min: 1, max: 40 }), ({ dims, order, offset }, piece) => {
        // Dimensions lie in the source in some order, with gaps between them, or not at all.
        const places = dims.map((_, d) => d).sort((a, b) => ((a * 7 + order) % 5) - ((b * 7 + order) % 5));
        const strides = new Array<number>(dims.length).fill(0);
        let stride = 1;
        for (const d of places) {
          const { size, gap, repeat } = dims[d]!;
          if (repeat === 0) continue;
          strides[d] = stride;
          stride = stride * Math.max(1, size) + gap;
        }
        const shape = dims.map(({ size }) => size);
        fc.pre(shape.reduce((product, size) => product * size, 1) < 5000);
        const source = counting(offset + extentOf(shape, strides));
        expect(read(source, shape, strides, offset, 8 * piece)).toEqual(elementsOf(shape, strides, offset));
      }),
      { numRuns: runs(300) },
    );
  });

  it.each<[string, number[], number[], number, number]>([
    ['a transposed matrix', [1500, 1000], [1, 1500], 100, 1.1],
    ['a part of the rows of a transposed matrix', [200, 6000], [1, 1000], 400, 5.1],
    ['every 16th element', [300_000], [16], 300, 1.1 * 16],
    ['columns of a matrix', [2000, 100], [3000, 1], 2100, 60],
    ['a cube in reverse', [90, 100, 170], [1, 90, 9000], 100, 1.1],
  ])('%s: few reads, little besides', (_, shape, strides, calls, ratio) => {
    const source = counting(extentOf(shape, strides));
    const expected = elementsOf(shape, strides, 0);
    expect(Buffer.from(read(source, shape, strides, 0, 2 ** 20).buffer).equals(Buffer.from(expected.buffer))).toBe(
      true,
    );
    expect(source.calls).toBeLessThan(calls);
    expect(source.bytes / expected.byteLength).toBeLessThan(ratio);
  });
});
