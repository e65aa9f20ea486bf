import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(__dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** Fenced blocks of one language, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp('^```' + language + '\\n(.*?)^```$', 'gms'))].map((match) => match[1]!);
}

/** The model that a sample converts: one layer of 32 outputs and 64 inputs with its bias. */
function writeModel(path: string): void {
  const weight = Float32Array.from({ length: 32 * 64 }, (_, i) => Math.sin(i));
  const bias = Float32Array.from({ length: 32 }, (_, i) => i / 32);
  const header = JSON.stringify({
    'encoder.dense.weight': { dtype: 'F32', shape: [32, 64], data_offsets: [0, weight.byteLength] },
    'encoder.dense.bias': {
      dtype: 'F32',
      shape: [32],
      data_offsets: [weight.byteLength, weight.byteLength + bias.byteLength],
    },
  });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(
    path,
    Buffer.concat([length, Buffer.from(header), Buffer.from(weight.buffer), Buffer.from(bias.buffer)]),
  );
}

describe('README.md', () => {
  // Inside the repository, so that `import 'qgemm'` finds the package itself.
  let folder: string;
  beforeAll(() => {
    mkdirSync(join(root, '.cache'), { recursive: true });
    folder = mkdtempSync(join(root, '.cache', 'readme-'));
  });
  beforeAll(() => writeModel(join(folder, 'model.safetensors')));
  afterAll(() => rmSync(folder, { recursive: true }));

  const samples = blocks('js');
  it('has samples', () => expect(samples.length).toBeGreaterThanOrEqual(2));

  it.each(samples.map((code, index) => ({ code, index })))('sample %# runs and prints what it says', async (sample) => {
    const path = join(folder, `sample-${sample.index}.mjs`);
    writeFileSync(path, sample.code);
    const { stdout } = await promisify(execFile)(process.execPath, [path], { cwd: folder });
    // A comment `// prints: ...` after a console.log states its line.
    const expected = [...sample.code.matchAll(/\/\/ prints: (.*)/g)].map((match) => match[1]!);
    expect(expected.length).toBeGreaterThan(0);
    expect(stdout.trimEnd().split('\n')).toEqual(expected);
  });

  const commands = blocks('sh').flatMap((block) =>
    [...block.matchAll(/^npx qgemm ([^#\n]+)/gm)].map((match) => match[1]!),
  );
  it('has commands of each kind', () => {
    expect(new Set(commands.map((command) => command.split(' ')[0]))).toEqual(
      new Set(['convert', 'inspect', 'verify']),
    );
  });
  it.each(commands)('qgemm %s', async (command) => {
    const args = [join(root, 'dist', 'cli.js'), ...command.trim().split(' ')];
    await expect(promisify(execFile)(process.execPath, args, { cwd: folder })).resolves.toBeDefined();
  });

  it('starts with its two commands, and both are scripts of package.json', () => {
    expect(blocks('sh')[0]).toMatch(/^npm ci && npm run demo/);
    expect(blocks('sh')[0]).toMatch(/^npm ci && npm test/m);
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
    for (const [, name] of readme.matchAll(/npm run ([\w:]+)/g)) expect(scripts).toHaveProperty([name!]);
  });
});
