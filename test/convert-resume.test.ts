import {
  appendFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { convertWith } from '../lib/convert/convert.js';
import { checkConvertOptions, type ConvertOptions } from '../lib/convert/options.js';
import { convert } from '../lib/index.js';
import { root, runChild } from './support/child.js';
import { qgemm } from './support/cli.js';
import { scaled } from './support/emulated.js';
import { watchedFileSystem } from './support/faults.js';
import { f32, temporaryFolder, writeSafetensors } from './support/safetensors.js';

const tensors = Object.fromEntries(
  Array.from({ length: 12 }, (_, i) => [i % 3 === 2 ? `l${i}.embed` : `l${i}.weight`, f32([40 + i, 24], i)]),
);

let folder: string;
let input: string;
let output: string;
let sound: Buffer;
let calls: number;
beforeEach(async () => {
  folder = temporaryFolder();
  input = writeSafetensors(join(folder, 'in.safetensors'), tensors);
  output = join(folder, 'out.safetensors');
  const watched = watchedFileSystem(() => undefined);
  await convertWith(watched, input, output, checkConvertOptions({}));
  calls = watched.calls.length;
  sound = readFileSync(output);
  writeFileSync(output, 'old');
});

/** Converts in another process, which is killed (SIGKILL) before the given call of the system. */
async function killedAt(point: number): Promise<void> {
  const { signal } = await runChild(
    `const { nodeFileSystem } = require(${JSON.stringify(join(root, 'dist/convert/file-system.js'))});
     const { convertWith } = require(${JSON.stringify(join(root, 'dist/convert/convert.js'))});
     const { checkConvertOptions } = require(${JSON.stringify(join(root, 'dist/convert/options.js'))});
     let calls = 0;
     const watched = new Proxy({ ...nodeFileSystem }, {
       get: (target, name) => (...args) => {
         if (++calls === ${point}) process.kill(process.pid, 'SIGKILL');
         return target[name](...args);
       },
     });
     convertWith(watched, ${JSON.stringify(input)}, ${JSON.stringify(output)}, checkConvertOptions({}));`,
    { loadPackage: false },
  );
  expect(signal).toBe('SIGKILL');
}

/** Goes on with a conversion. Returns how many steps were written rather than passed over. */
async function resumed(options: ConvertOptions = {}): Promise<number> {
  // The journal is opened last before the output is: what it gets from then on are steps of this process.
  let lines = 0;
  const watched = watchedFileSystem((_, name, args) => {
    if (name === 'openSync' && String(args[0]).endsWith('.tmp')) lines = 0;
    if (
      name === 'writeSync' &&
      Buffer.from(args[1] as Uint8Array)
        .toString('latin1')
        .startsWith('{"file"')
    )
      lines += 1;
  });
  await convertWith(watched, input, output, checkConvertOptions({ resume: true, ...options }));
  return lines;
}

const temporaries = (): string[] => readdirSync(folder).filter((name) => name.startsWith('.'));
const temporary = (): string =>
  join(
    folder,
    temporaries().find((name) => name.endsWith('.tmp'))!,
  );

describe('kill -9', () => {
  it('at 50 points all over a conversion: the old output or the new one, and --resume gives the same bytes', async () => {
    // The last two calls remove the journal and sync the folder.
    const count = scaled(50, 12);
    const points = [
      ...new Set(Array.from({ length: count }, (_, i) => 1 + Math.floor((i * (calls - 1)) / (count - 1)))),
    ];
    expect(points.length).toBeGreaterThanOrEqual(count);
    for (const point of points) {
      writeFileSync(output, 'old');
      await killedAt(point);
      const now = readFileSync(output);
      expect(now.equals(sound) || now.toString() === 'old', `killed before call ${point}`).toBe(true);
      await resumed();
      expect(readFileSync(output).equals(sound), `killed before call ${point}`).toBe(true);
      expect(temporaries()).toEqual([]);
    }
  }, 120_000);

  it('goes on after the last complete tensor', async () => {
    await killedAt(calls - 18);
    const written = await resumed();
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(8);
    expect(readFileSync(output).equals(sound)).toBe(true);
  });

  it('without --resume begins anew and removes what was left', async () => {
    await killedAt(calls - 18);
    expect(temporaries()).toHaveLength(2);
    await convert(input, output);
    expect(readFileSync(output).equals(sound)).toBe(true);
    expect(temporaries()).toEqual([]);
  });

  it('by the command', async () => {
    await killedAt(calls - 18);
    const { status, stdout } = qgemm('convert', input, '-o', output, '--resume', '--quiet');
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('8 weights packed') as unknown });
    expect(readFileSync(output).equals(sound)).toBe(true);
  });
});

describe('what a killed conversion has left is not trusted', () => {
  const damage: readonly (readonly [string, () => void])[] = [
    ['the temporary file is shorter', () => truncateSync(temporary(), Math.floor(statSync(temporary()).size / 2))],
    ['the temporary file is empty', () => truncateSync(temporary(), 0)],
    ['the temporary file is longer', () => appendFileSync(temporary(), Buffer.alloc(100_000, 7))],
    [
      'a byte of the temporary file differs',
      () => {
        const bytes = readFileSync(temporary());
        bytes[Math.floor(bytes.length / 2)]! ^= 1;
        writeFileSync(temporary(), bytes);
      },
    ],
    ['the temporary file is gone', () => rmSync(temporary())],
    ['the journal is gone', () => rmSync(`${temporary()}.journal`)],
    [
      'the last line of the journal is cut short',
      () => truncateSync(`${temporary()}.journal`, statSync(`${temporary()}.journal`).size - 9),
    ],
    ['the journal is not JSON', () => writeFileSync(`${temporary()}.journal`, '{{{\n]\n')],
    ['the journal holds other values', () => writeFileSync(`${temporary()}.journal`, 'null\n1\n"x"\n')],
    [
      'the journal names steps that there are not',
      () =>
        appendFileSync(
          `${temporary()}.journal`,
          '{"file":9,"step":-1,"sha256":"00"}\n{"file":0,"step":1e9,"sha256":"00"}\n',
        ),
    ],
  ];

  it.each(damage)('%s', async (_, change) => {
    await killedAt(calls - 18);
    change();
    await resumed();
    expect(readFileSync(output).equals(sound)).toBe(true);
    expect(temporaries()).toEqual([]);
  });

  it('the input has changed', async () => {
    await killedAt(calls - 18);
    utimesSync(input, 1, 1);
    expect(await resumed()).toBeGreaterThan(10);
    expect(readFileSync(output).equals(sound)).toBe(true);
  });

  it('the options differ', async () => {
    await killedAt(calls - 18);
    await resumed({ granularity: 'per-tensor' });
    const again = join(folder, 'again.safetensors');
    await convert(input, again, { granularity: 'per-tensor' });
    expect(readFileSync(output).equals(readFileSync(again))).toBe(true);
  });
});
