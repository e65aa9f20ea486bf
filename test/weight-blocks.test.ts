import { expect, it } from 'vitest';
import { BLOCK_ELEMENTS, STRIP_ELEMENTS } from '../lib/formats/limits.js';
import type { SourceTensor } from '../lib/formats/source.js';
import { floatBlocks } from '../lib/formats/weight-blocks.js';

// Wider than one strip, and with lines that do not begin at multiples of 8 bytes.
const [k, n] = [280, 30_001];

function tensor(dtype: 'F32' | 'BF16'): { source: SourceTensor; value: (row: number, i: number) => number } {
  const value = (row: number, i: number): number => ((i * 7 + row) % 251) - 125; // exact in BF16
  const values = Float32Array.from({ length: k * n }, (_, at) => value(at % n, Math.floor(at / n)));
  const bytes =
    dtype === 'F32'
      ? new Uint8Array(values.buffer)
      : new Uint8Array(Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16).buffer);
  const readInto = (target: Uint8Array, position: number): void => {
    const aligned = position % 8 === 0 && (target.length % 8 === 0 || position + target.length === bytes.length);
    if (!aligned) throw new Error(`${target.length} bytes at ${position}`);
    target.set(bytes.subarray(position, position + target.length));
  };
  return { source: { name: 'w', dtype, shape: [k, n], byteLength: bytes.length, readInto }, value };
}

it.each([
  ['F32', undefined],
  ['BF16', undefined],
  ['F32', BLOCK_ELEMENTS],
  ['BF16', BLOCK_ELEMENTS],
] as const)(
  'blocks of a large %s weight [K, N], of at most %s elements: every value once',
  async (dtype, strip) => {
    expect(k * n).toBeGreaterThan(STRIP_ELEMENTS);
    const { source, value } = tensor(dtype);
    let turns = 0;
    let timer: NodeJS.Immediate;
    const turn = (): void => {
      turns += 1;
      timer = setImmediate(turn);
    };
    timer = setImmediate(turn);
    let next = 0;
    let wrong = 0;
    for await (const { row, rows, values } of floatBlocks({ tensor: source, weight: { n, k, layout: 'kn' } }, strip)) {
      expect(row).toBe(next);
      expect(values.length).toBe(rows * k);
      expect(values.length).toBeLessThanOrEqual(strip ?? STRIP_ELEMENTS);
      for (let at = 0; at < values.length; ++at) {
        if (values[at] !== value(row + (at % rows), Math.floor(at / rows))) wrong += 1;
      }
      next += rows;
    }
    clearImmediate(timer);
    expect({ next, wrong }).toEqual({ next: n, wrong: 0 });
    expect(turns).toBeGreaterThanOrEqual(3); // other work of the process went on while a strip was read
  },
  60_000,
);
