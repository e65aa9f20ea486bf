import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { convert, inspect, loadModel } from '../lib/index.js';
import { f32, safetensorsBytes, temporaryFolder, writeSafetensors } from './support/safetensors.js';
import { tfjsFiles, writeFiles } from './support/tfjs.js';

// Faults of the file system: what the next call does instead, by the name of the function.
const faults = vi.hoisted(() => new Map<string, (call: (...args: unknown[]) => unknown, args: unknown[]) => unknown>());

vi.mock('node:fs', async (original) => {
  const fs = await original<Record<string, (...args: unknown[]) => unknown>>();
  const faulty =
    (name: string) =>
    (...args: unknown[]): unknown => {
      const call = fs[name]!;
      return (faults.get(name) ?? ((next, given) => next(...given)))(call, args);
    };
  const names = ['readSync', 'write', 'writeSync', 'fsync', 'rename'];
  return { ...fs, ...Object.fromEntries(names.map((name) => [name, faulty(name)])) };
});

const tensors = { 'a.weight': f32([64, 70]), 'a.bias': f32([64]), 'embed.weight': f32([100, 70]) };

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: it happened, call`), { code });
}

let folder: string;
let input: string;
let output: string;
beforeEach(() => {
  faults.clear();
  folder = temporaryFolder();
  input = writeSafetensors(join(folder, 'in.safetensors'), tensors);
  output = join(folder, 'out.safetensors');
});

async function expectedBytes(): Promise<Buffer> {
  const path = join(temporaryFolder(), 'x');
  await convert(input, path);
  return readFileSync(path);
}

describe('faults while writing', () => {
  const nth = (n: number, code: string) => {
    let calls = 0;
    return (call: (...args: unknown[]) => unknown, args: unknown[]): unknown => {
      calls += 1;
      if (calls === n) throw systemError(code);
      return call(...args);
    };
  };

  it.each([
    ['write', 1, 'ENOSPC'],
    ['write', 3, 'ENOSPC'],
    ['write', 6, 'EIO'],
    ['write', 2, 'EFBIG'],
    ['writeSync', 1, 'ENOSPC'],
    ['writeSync', 2, 'EIO'],
    ['fsync', 1, 'EIO'],
    ['rename', 1, 'EACCES'],
    ['readSync', 5, 'EIO'],
  ])('%s, call %i, gives %s: the old output stays, nothing else does', async (name, n, code) => {
    writeFileSync(output, 'old');
    faults.set(name, nth(n, code));
    const cause = expect.objectContaining({ code });
    await expect(convert(input, output)).rejects.toEqual(expect.objectContaining({ code: 'ERR_QGEMM_IO', cause }));
    expect(readFileSync(output, 'utf8')).toBe('old');
    expect(readdirSync(folder).sort()).toEqual(['in.safetensors', 'out.safetensors']);
  });

  it('a full disk that writes nothing without an error is an error', async () => {
    faults.set('write', (_, args) => (args.at(-1) as (error: null, count: number) => void)(null, 0));
    await expect(convert(input, output)).rejects.toThrow(/takes no more bytes/);
    expect(readdirSync(folder)).toEqual(['in.safetensors']);
  });

  it('short reads and writes are continued', async () => {
    const expected = await expectedBytes();
    const short = (call: (...args: unknown[]) => unknown, [fd, bytes, at, length, ...rest]: unknown[]): unknown =>
      call(fd, bytes, at, Math.min(length as number, 1001), ...rest);
    faults.set('write', short);
    faults.set('writeSync', short);
    faults.set('readSync', short);
    await convert(input, output);
    expect(readFileSync(output).equals(expected)).toBe(true);
  });

  it('a file that ends early while it is read is an error', async () => {
    let calls = 0;
    faults.set('readSync', (call, args) => (++calls > 4 ? 0 : call(...args)));
    await expect(convert(input, output)).rejects.toMatchObject({
      code: 'ERR_QGEMM_IO',
      message: expect.stringMatching(/it ended at byte/),
    });
    expect(readdirSync(folder)).toEqual(['in.safetensors']);
  });
});

describe('where the output may be', () => {
  it('on the input itself, where that is one file', async () => {
    const expected = await expectedBytes();
    await convert(input, input);
    expect(readFileSync(input).equals(expected)).toBe(true);
    expect(readdirSync(folder)).toEqual(['in.safetensors']);
  });

  it('on the input by a link: the link stays, the file is replaced; a hard link keeps the old file', async () => {
    const old = readFileSync(input);
    symlinkSync('in.safetensors', join(folder, 'link'));
    linkSync(input, join(folder, 'hard'));
    await convert(input, join(folder, 'link'));
    expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true);
    expect(inspect(input).format).toBe('qgemm');
    expect(readFileSync(join(folder, 'hard')).equals(old)).toBe(true);
  });

  it('not on one file of a sharded input', async () => {
    const index = join(folder, 'model.safetensors.index.json');
    writeFileSync(
      index,
      JSON.stringify({ weight_map: Object.fromEntries(Object.keys(tensors).map((name) => [name, 'in.safetensors'])) }),
    );
    symlinkSync('in.safetensors', join(folder, 'link'));
    const before = readdirSync(folder);
    for (const path of [input, index, join(folder, 'link')]) {
      await expect(convert(folder, path)).rejects.toMatchObject({
        code: 'ERR_QGEMM_ARGUMENT',
        message: expect.stringMatching(/must not be one of the 2 files/),
      });
    }
    expect(readdirSync(folder)).toEqual(before);
    expect(readFileSync(input).equals(safetensorsBytes(tensors))).toBe(true);
  });

  it('not on a weight file of a TensorFlow.js model', async () => {
    const files = tfjsFiles({ node: [] }, [{ name: 'w', shape: [2], dtype: 'float32', data: new Float32Array(2) }]);
    const model = writeFiles(join(folder, 'tfjs'), files);
    await expect(convert(model, join(folder, 'tfjs', 'group1-shard1of1.bin'))).rejects.toMatchObject({
      code: 'ERR_QGEMM_ARGUMENT',
    });
  });

  it('not on a folder, a device, or in a folder that does not exist', async () => {
    mkdirSync(join(folder, 'sub'));
    for (const path of [join(folder, 'sub'), '/dev/null', join(folder, 'no', 'out')]) {
      await expect(convert(input, path)).rejects.toMatchObject({
        code: 'ERR_QGEMM_IO',
        message: expect.stringContaining(path),
      });
    }
    expect(readdirSync(folder).sort()).toEqual(['in.safetensors', 'sub']);
  });

  it('keeps the permissions of a file that it replaces', async () => {
    writeFileSync(output, 'old');
    chmodSync(output, 0o640);
    await convert(input, output);
    expect(statSync(output).mode & 0o777).toBe(0o640);
  });

  it('while a model uses the old file: the model keeps its weights', async () => {
    await convert(input, output);
    const model = loadModel(output);
    const before = model.tensor('a.weight').data;
    writeSafetensors(input, { 'a.weight': f32([64, 70], 99) });
    await convert(input, output);
    expect(model.tensor('a.weight').data).toEqual(before);
    model.close();
  });
});

describe('temporary files of processes that were killed', () => {
  const names = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.tmp'));

  it('are removed by the next conversion to the same name; those of the living and others are not', async () => {
    let own = '';
    faults.set('rename', (call, args) => {
      own = names()[0]!;
      return call(...args);
    });
    await convert(input, output);
    expect(own).toMatch(new RegExp(`^\\.out\\.safetensors\\.qgemm-[0-9a-f]{8}-${process.pid}-[0-9a-f]{12}\\.tmp$`));
    faults.clear();
    const dead = own.replace(`-${process.pid}-`, '-4194999-');
    const foreign = dead.replace(/qgemm-[0-9a-f]{8}/, 'qgemm-00000000');
    const other = dead.replace('.out.', '.other.');
    for (const name of [own, dead, foreign, other]) writeFileSync(join(folder, name), 'x');
    await convert(input, output);
    expect(names().sort()).toEqual([own, foreign, other].sort());
    expect(existsSync(join(folder, dead))).toBe(false);
  });
});
