// Readers that go away, full disks, and reports where none can be written.
import { spawnSync } from 'node:child_process';
import { existsSync, linkSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { inspect } from '../lib/index.js';
import { cliPath, qgemm } from './support/cli.js';
import { f32, temporaryFolder, writeSafetensors } from './support/safetensors.js';

let folder: string;
let input: string;
let output: string;
beforeEach(() => {
  folder = temporaryFolder();
  const tensors = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`layer${i}.weight`, f32([64, 64], i)]));
  input = writeSafetensors(join(folder, 'in.safetensors'), tensors);
  output = join(folder, 'out.safetensors');
});

const shell = (command: string) => spawnSync('bash', ['-c', command], { encoding: 'utf8' });
const run = `"${process.execPath}" "${cliPath}"`;

describe.skipIf(process.platform === 'win32')('streams (POSIX shells)', () => {
  it.each(['', ' --json'])('convert%s goes on when nobody reads its progress any more', (flags) => {
    const command = `${run} convert "${input}" -o "${output}"${flags} 2>&1 >/dev/null | head -1; exit \${PIPESTATUS[0]}`;
    expect(shell(command).status).toBe(0);
    expect(inspect(output).weights).toHaveLength(200);
  });

  it('inspect says no more, and fails not, when its reader has enough', () => {
    const { status, stdout, stderr } = shell(`${run} inspect "${input}" | head -1; exit \${PIPESTATUS[0]}`);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/200 tensors/);
  });

  it.skipIf(!existsSync('/dev/full'))('a full disk under standard output is one line (Linux)', () => {
    for (const command of [
      `inspect "${input}"`,
      `inspect "${input}" --json`,
      `convert "${input}" -o "${output}" --quiet`,
    ]) {
      const { status, stderr } = shell(`${run} ${command} >/dev/full`);
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: 'ERR_QGEMM_IO: cannot write standard output: ENOSPC: no space left on device\n',
      });
    }
  });
});

describe('--report is refused before anything is written where it', () => {
  it.each<[string, () => string, string]>([
    ['lies in no folder', () => join(folder, 'none', 'r.html'), 'ERR_QGEMM_IO: cannot write .*ENOENT'],
    ['lies in a file', () => join(input, 'r.html'), 'ERR_QGEMM_IO: cannot write .*ENOTDIR'],
    ['is a folder', () => folder, 'ERR_QGEMM_IO: cannot write .*not a regular file'],
    ['is empty', () => '', 'ERR_QGEMM_ARGUMENT: report must be a path'],
    ['is the input', () => input, 'ERR_QGEMM_ARGUMENT: report must be a file of its own'],
    ['is the output', () => output, 'ERR_QGEMM_ARGUMENT: report must be a file of its own'],
    [
      'is another name of the input',
      () => {
        linkSync(input, join(folder, 'link'));
        return join(folder, 'link');
      },
      'ERR_QGEMM_ARGUMENT: report must be a file of its own',
    ],
  ])('%s', (_, report, message) => {
    const before = readFileSync(input);
    const path = report();
    const { status, stderr } = qgemm('convert', input, '-o', output, '--report', path, '--quiet');
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(message) as string });
    expect(existsSync(output)).toBe(false);
    expect(qgemm('verify', input, output, '--report', path).stderr).toMatch(new RegExp(message));
    expect(readFileSync(input).equals(before)).toBe(true);
  });
});
