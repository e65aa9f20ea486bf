import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { convert, inspect } from '../lib/index.js';
import { startQgemm } from './support/cli.js';
import { f32, temporaryFolder, writeSafetensors } from './support/safetensors.js';

// Names so long that the lines of progress fill the pipe: a conversion cannot run ahead of who reads them.
const longName = 'x'.repeat(8000);
const tensors = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`l${i}${longName}.weight`, f32([64, 64], i)]));

let folder: string;
let input: string;
let output: string;
beforeEach(() => {
  folder = temporaryFolder();
  input = writeSafetensors(join(folder, 'in.safetensors'), tensors);
  output = join(folder, 'out.safetensors');
  writeFileSync(output, 'old');
});

const temporaries = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.tmp'));

/** Starts a conversion, sends the signal when two of its 40 tensors are done, and waits for the end. */
async function interrupt(
  signal: NodeJS.Signals,
): Promise<{ code: number | null; signal: string | null; stderr: string }> {
  const child = startQgemm('convert', input, '-o', output);
  const progress = child.stderr as Readable;
  let stderr = '';
  let sent = false;
  progress.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    if (sent || !stderr.includes('[2/40]')) return;
    sent = true;
    progress.pause();
    child.kill(signal);
    setTimeout(() => progress.resume(), 50);
  });
  const [code, name] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal: name, stderr };
}

describe('an interrupted conversion', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s: status %i, the old output stays, nothing else does', async (signal, status) => {
    const { code, stderr } = await interrupt(signal);
    expect(code).toBe(status);
    expect(stderr).not.toContain('[40/40]');
    expect(stderr).toMatch(new RegExp(`interrupted by ${signal}: nothing was changed\\n$`));
    expect(readFileSync(output, 'utf8')).toBe('old');
    expect(readdirSync(folder).sort()).toEqual(['in.safetensors', 'out.safetensors']);
  });

  it('kill -9: the old output stays; what is left is removed by the next conversion', async () => {
    const { signal } = await interrupt('SIGKILL');
    expect(signal).toBe('SIGKILL');
    expect(readFileSync(output, 'utf8')).toBe('old');
    expect(temporaries()).toHaveLength(1);
    await convert(input, output);
    expect(temporaries()).toEqual([]);
    expect(inspect(output).weights).toHaveLength(40);
  });

  it('kill -9 of a conversion onto its own input leaves the input', async () => {
    const before = readFileSync(input);
    output = input;
    await interrupt('SIGKILL');
    expect(readFileSync(input).equals(before)).toBe(true);
  });

  it('process.exit() in the middle leaves nothing', () => {
    const script = join(folder, 'exit.cjs');
    const index = join(__dirname, '..', 'dist', 'index.js');
    writeFileSync(
      script,
      `require(${JSON.stringify(index)}).convert(${JSON.stringify(input)}, ${JSON.stringify(output)}, { onProgress: () => process.exit(7) });`,
    );
    expect(spawnSync(process.execPath, [script]).status).toBe(7);
    expect(temporaries()).toEqual([]);
    expect(readFileSync(output, 'utf8')).toBe('old');
    expect(existsSync(input)).toBe(true);
  });
});
