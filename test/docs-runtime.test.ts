// docs/errors.md and docs/threads-and-async.md: their samples run and print what their comments say.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { root } from './support/child.js';

const read = (name: string): string => readFileSync(join(root, ...name.split('/')), 'utf8');
const samplesOf = (page: string): string[] => [...page.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1]!);

const folder = mkdtempSync(join(tmpdir(), 'qgemm-docs-'));
mkdirSync(join(folder, 'node_modules'));
symlinkSync(root, join(folder, 'node_modules', 'qgemm'), 'junction');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a sample as an ES module. Samples that start with `// <name>` are the files of one program. */
function run(name: string): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [name], { cwd: folder, encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe.each(['docs/errors.md', 'docs/threads-and-async.md'])('%s', (name) => {
  const samples = samplesOf(read(name));
  it('has samples', () => expect(samples.length).toBeGreaterThan(0));

  it.each(samples.filter((sample) => !sample.startsWith('// ')))('sample %# prints what it says', (sample) => {
    const expected = [...sample.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => `${match[1]}\n`);
    expect(expected.length).toBeGreaterThan(0);
    writeFileSync(join(folder, 'sample.mjs'), sample);
    expect(run('sample.mjs')).toEqual({ status: 0, stdout: expected.join(''), stderr: '' });
  });
});

describe('docs/threads-and-async.md', () => {
  it('its program of two files runs', () => {
    for (const sample of samplesOf(read('docs/threads-and-async.md'))) {
      const file = /^\/\/ (\w+\.mjs)\n/.exec(sample)?.[1];
      if (file === undefined) continue;
      const report = file === 'worker.mjs' ? 'console.log(layer.forward(new Float32Array(8)).length);\n' : '';
      writeFileSync(join(folder, file), sample + report);
    }
    expect(run('main.mjs')).toEqual({ status: 0, stdout: '6\n', stderr: '' });
  });
});

describe('docs/errors.md', () => {
  it('lists every code, and no other', () => {
    const codes = (text: string): string[] => [...new Set(text.match(/ERR_QGEMM_[A-Z_]+/g))].sort();
    const listed = [...read('docs/errors.md').matchAll(/^\| `(ERR_QGEMM_[A-Z_]+)` /gm)].map((match) => match[1]!);
    expect([...listed].sort()).toEqual(codes(read('lib/errors.ts')));
  });
});
