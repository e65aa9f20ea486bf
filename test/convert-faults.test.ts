import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { convertWith } from '../lib/convert/convert.js';
import type { FileSystem } from '../lib/convert/file-system.js';
import { checkConvertOptions } from '../lib/convert/options.js';
import { QgemmError } from '../lib/index.js';
import { systemError, watchedFileSystem, type Call } from './support/faults.js';
import { f32, temporaryFolder, writeSafetensors } from './support/safetensors.js';

const tensors = Object.fromEntries(
  Array.from({ length: 16 }, (_, i) => [i % 2 ? `l${i}.embed` : `l${i}.weight`, f32([40 + i, 24], i)]),
);

let folder: string;
let input: string;
let output: string;
let sound: Buffer;
beforeEach(async () => {
  folder = temporaryFolder();
  input = writeSafetensors(join(folder, 'in.safetensors'), tensors);
  output = join(folder, 'out.safetensors');
  await run(watchedFileSystem(() => undefined));
  sound = readFileSync(output);
  writeFileSync(output, 'old');
});

const run = (fileSystem: FileSystem): Promise<unknown> =>
  convertWith(fileSystem, input, output, checkConvertOptions({}));

async function failure(fileSystem: FileSystem): Promise<QgemmError | undefined> {
  try {
    await run(fileSystem);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(QgemmError);
    return error as QgemmError;
  }
}

// Looking for and removing what others left must not stop a conversion; everything else must.
const HARMLESS: readonly Call[] = ['readdirSync', 'rmSync'];

describe('a call of the system that fails', () => {
  it.each(['ENOSPC', 'EIO'])(
    '%s at any of at least 50 points: the old output stays, nothing else does',
    async (code) => {
      let points = 0;
      for (let point = 1; ; ++point) {
        const faulty = watchedFileSystem((number, name) => {
          if (number === point) throw systemError(code, name);
        });
        const error = await failure(faulty);
        if (faulty.calls.length < point) break;
        const call = faulty.calls[point - 1]!;
        if (HARMLESS.includes(call)) {
          expect({ point, call, error }).toMatchObject({ error: undefined });
        } else {
          expect({ point, call, code: error?.code }).toEqual({ point, call, code: 'ERR_QGEMM_IO' });
          expect(error!.message).toContain(code);
          points += 1;
        }
        // After the rename, what fails can only be the folder's own record of it: the new file is complete.
        const renamed = faulty.calls.slice(0, point - 1).includes('rename') || error === undefined;
        expect(readFileSync(output).equals(renamed ? sound : Buffer.from('old')), `point ${point}, ${call}`).toBe(true);
        const left = readdirSync(folder).filter((name) => name.startsWith('.'));
        // What cannot be removed stays, for the next process to remove.
        if (call !== 'rmSync') expect(left, `point ${point}, ${call}`).toEqual([]);
        for (const name of left) rmSync(join(folder, name));
        writeFileSync(output, 'old');
      }
      expect(points).toBeGreaterThanOrEqual(50);
    },
  );

  it('short writes, of one byte at a time: the same bytes', async () => {
    const { writeSync } = await import('node:fs');
    await run(
      watchedFileSystem((number, name, args) => {
        if ((name !== 'writeSync' && name !== 'write') || number % 3 === 0) return undefined;
        const [fd, bytes, offset, length, position] = args as [number, Uint8Array, number, number, number];
        return writeSync(fd, bytes, offset, Math.min(length, 1 + (number % 200)), position);
      }),
    );
    expect(readFileSync(output).equals(sound)).toBe(true);
  });

  it('a system that takes no more bytes is an error, not a loop', async () => {
    const error = await failure(watchedFileSystem((_, name) => (name === 'write' ? 0 : undefined)));
    expect(error).toMatchObject({ code: 'ERR_QGEMM_IO' });
    expect(error!.message).toMatch(/takes no more bytes/);
    expect(readFileSync(output, 'utf8')).toBe('old');
  });

  it('an abort while the disk syncs, long after the last byte was written: the old output stays', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const slow = watchedFileSystem((_, name) =>
      name === 'fsync'
        ? new Promise((resolve) => setTimeout(() => resolve(controller.abort(reason)), 20)) // a timer: the loop runs
        : undefined,
    );
    const settings = checkConvertOptions({ signal: controller.signal });
    await expect(convertWith(slow, input, output, settings)).rejects.toBe(reason);
    expect(slow.calls).not.toContain('rename');
    expect(readFileSync(output, 'utf8')).toBe('old');
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('an output that did not exist does not appear', async () => {
    const other = join(folder, 'other.safetensors');
    const faulty = watchedFileSystem((_, name) => {
      if (name === 'fsync') throw systemError('EIO', name);
    });
    await expect(convertWith(faulty, input, other, checkConvertOptions({}))).rejects.toMatchObject({
      code: 'ERR_QGEMM_IO',
    });
    expect(existsSync(other)).toBe(false);
  });
});
