// The native file mapping below loadModel(): what it refuses, and that nothing outside the file is ever read.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { types } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { Linear, PackedWeights } from '../lib/index.js';
import type { NativeMapping, NativePackedOffsets } from '../lib/native-types.js';
import { native } from '../lib/native.js';
import { wrapWeights } from '../lib/packed-weights.js';
import { randomFloats } from './support/random.js';
import { expectSameBits } from './support/same-bits.js';

const folder = mkdtempSync(join(tmpdir(), 'qgemm-mapping-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function write(bytes: Uint8Array): string {
  const path = join(folder, `file-${files++}`);
  writeFileSync(path, bytes);
  return path;
}

const error = (code: string, message?: RegExp): Error =>
  expect.objectContaining({
    name: 'QgemmError',
    code: `ERR_QGEMM_${code}`,
    ...(message ? { message: expect.stringMatching(message) as string } : {}),
  }) as Error;

const [n, k] = [40, 70];
const data = randomFloats(n * k, 1);
const x = randomFloats(3 * k, 2);

/** Packed arrays one after another behind `shift` bytes, as a file. */
function packedFile(
  symmetric: boolean,
  shift: number,
): { path: string; offsets: NativePackedOffsets; y: Float32Array } {
  const weights = native.packFloat32(data, n, k, false, 0, 0, symmetric, 0, false);
  const arrays = native.weightsExport(weights);
  const parts: Uint8Array[] = [new Uint8Array(shift)];
  let end = shift;
  const add = (array: Uint8Array | Float32Array | Int32Array): number => {
    parts.push(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    end += array.byteLength;
    return end - array.byteLength;
  };
  const offsets: NativePackedOffsets = {
    panels: add(arrays.panels),
    scales: add(arrays.scales!),
    columnSums: add(arrays.columnSums!),
    ...(arrays.zeroPoints ? { zeroPoints: add(arrays.zeroPoints) } : {}),
  };
  return { path: write(Buffer.concat(parts)), offsets, y: new Linear(wrapWeights(weights)).forward(x) };
}

const fromFile = (mapping: NativeMapping, offsets: NativePackedOffsets): PackedWeights =>
  wrapWeights(native.weightsFromMapping(mapping, 0, n, k, 0, offsets));

// An emulator's own mappings would be listed.
const hugePages = existsSync('/sys/kernel/mm/transparent_hugepage') && !process.env['QGEMM_TEST_LAUNCHER'];

it.skipIf(!hugePages)(hugePages ? 'a mapping asks for huge pages' : 'needs huge pages (Linux, no emulator)', () => {
  const path = write(new Uint8Array(5 << 20));
  const mapping = native.mapFile(path, true);
  const areas = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const name = `/${basename(folder)}/${basename(path)}\n`;
  const flags = areas.filter((area) => area.includes(name)).map((area) => /^VmFlags:(.*)$/m.exec(area)?.[1]);
  expect(flags.some((some) => some?.split(' ').includes('hg'))).toBe(true);
  native.mappingClose(mapping);
});

describe.each([true, false])('a file, mapped: %s', (map) => {
  it.each([
    ['aligned', 64, true],
    ['not aligned to 64 bytes, so copied', 4, true],
    ['not even to 4', 3, false],
  ])('weights lie in it %s', (_, shift, symmetric) => {
    const { path, offsets, y } = packedFile(symmetric, shift);
    const mapping = native.mapFile(path, map);
    const linear = new Linear(fromFile(mapping, offsets));
    native.mappingClose(mapping);
    expectSameBits(linear.forward(x), y);
    expect(() => native.mappingSize(mapping)).toThrow(error('DISPOSED'));
    expect(() => native.mappingRead(mapping, 0, 1)).toThrow(error('DISPOSED'));
    expect(() => fromFile(mapping, offsets)).toThrow(error('DISPOSED'));
  });

  it('gives copies of its bytes, and nothing outside', () => {
    const mapping = native.mapFile(write(Uint8Array.of(1, 2, 3, 4, 5)), map);
    expect(native.mappingSize(mapping)).toBe(5);
    const copy = native.mappingRead(mapping, 1, 3);
    copy[0] = 99;
    expect([...native.mappingRead(mapping, 1, 3)]).toEqual([2, 3, 4]);
    expect(native.mappingRead(mapping, 5, 0)).toHaveLength(0);
    for (const [offset, length] of [
      [5, 1],
      [0, 6],
      [6, 0],
      [2 ** 53 - 1, 2 ** 53 - 1],
      [1, 2 ** 52],
    ] as const) {
      expect(() => native.mappingRead(mapping, offset, length)).toThrow(
        error('FORMAT', /must lie within the file of 5/),
      );
    }
    for (const bad of [-1, 0.5, NaN, Infinity]) {
      expect(() => native.mappingRead(mapping, bad, 1)).toThrow(error('RANGE'));
    }
  });

  it('refuses weights that do not lie within it', () => {
    const { path, offsets } = packedFile(false, 0);
    const mapping = native.mapFile(path, map);
    const size = native.mappingSize(mapping);
    for (const name of ['panels', 'scales', 'columnSums', 'zeroPoints'] as const) {
      for (const offset of [size, size - 4, size + 64, 2 ** 53 - 64]) {
        expect(() => fromFile(mapping, { ...offsets, [name]: offset })).toThrow(
          error('FORMAT', new RegExp(`^${name} must`)),
        );
      }
      expect(() => fromFile(mapping, { ...offsets, [name]: -64 })).toThrow(error('RANGE'));
    }
    expect(() => fromFile(mapping, { panels: 0 })).toThrow(error('ARGUMENT'));
    const sizes = [
      [2 ** 52, 2 ** 52],
      [2 ** 53 - 1, 1],
      [1, 2 ** 53 - 1],
      [2 ** 31, 2 ** 31],
    ] as const;
    for (const [rows, depth] of sizes) {
      expect(() => native.weightsFromMapping(mapping, 0, rows, depth, 0, offsets)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/ERR_QGEMM_(LIMIT|FORMAT)/) as string }),
      );
    }
  });

  it('refuses what is no regular file with bytes in it, naming path and reason', () => {
    const missing = join(folder, 'missing');
    expect(() => native.mapFile(missing, map)).toThrow(error('IO', /^No such file or directory$/));
    expect(() => native.mapFile(folder, map)).toThrow(error('IO', /not a regular file|Access is denied/));
    expect(() => native.mapFile(write(new Uint8Array(0)), map)).toThrow(error('IO', /^the file is empty$/));
    expect(() => native.mapFile(`${missing}\0x`, map)).toThrow(error('ARGUMENT', /zero character/));
  });

  it.skipIf(process.platform === 'win32')(
    'refuses devices, FIFOs and dangling links without waiting (not on Windows)',
    () => {
      const fifo = join(folder, `fifo-${String(map)}`);
      execFileSync('mkfifo', [fifo]);
      expect(() => native.mapFile(fifo, map)).toThrow(error('IO', /not a regular file/));
      expect(() => native.mapFile('/dev/null', map)).toThrow(error('IO', /not a regular file/));
      const link = join(folder, `link-${String(map)}`);
      symlinkSync(join(folder, 'nowhere'), link);
      expect(() => native.mapFile(link, map)).toThrow(error('IO', /No such file/));
    },
  );

  it('opens names outside ASCII', () => {
    const path = join(folder, `Gewichte-ä-重み-${String(map)}`);
    writeFileSync(path, 'abc');
    expect(native.mappingSize(native.mapFile(path, map))).toBe(3);
  });
});

describe('a private copy', () => {
  it('does not mind that the file is truncated or removed', () => {
    const { path, offsets, y } = packedFile(true, 64);
    const mapping = native.mapFile(path, false);
    const linear = new Linear(fromFile(mapping, offsets));
    truncateSync(path, 0);
    rmSync(path);
    expectSameBits(linear.forward(x), y);
  });
});

/** An external value that is Node's: a pointer to something that is not ours. */
async function foreignExternal(): Promise<unknown> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const external = (server as unknown as { _handle: { _externalStream: unknown } })._handle._externalStream;
  server.close();
  expect(types.isExternal(external)).toBe(true);
  return external;
}

describe('native handles', () => {
  it('are told apart, and from every other value', async () => {
    const weights = native.packFloat32(data, n, k, false, 0, 0, true, 0, false);
    const mapping = native.mapFile(write(Uint8Array.of(1)), true);
    const strangers: unknown[] = [undefined, null, 1, 'x', {}, [], Symbol('s'), new Map(), Object.create(weights)];
    strangers.push(new Proxy(weights, {}), await foreignExternal());
    for (const stranger of [...strangers, mapping]) {
      expect(() => native.weightsInfo(stranger as never)).toThrow(error('ARGUMENT'));
      expect(() => native.linearCreate(stranger as never, null, 0, false, null, null)).toThrow(error('ARGUMENT'));
    }
    for (const stranger of [...strangers, weights]) {
      expect(() => native.mappingSize(stranger as never)).toThrow(error('ARGUMENT'));
      expect(() => native.linearForward(stranger as never, x, 3, x)).toThrow(error('ARGUMENT'));
      expect(() => native.linearDispose(stranger as never)).toThrow(error('ARGUMENT'));
    }
  });
});
