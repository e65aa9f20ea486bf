import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const script = join(__dirname, '..', 'examples', 'demo', 'run.mjs');
const SENTENCES = 40;
// The demo measures memory in a process that it starts itself, which an emulator of another CPU does not follow.
const emulated = process.env['QGEMM_TEST_SLOW_CPU'] === '1';
const folder = mkdtempSync(join(tmpdir(), 'qgemm-demo-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

async function demo(...args: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [script, ...args]);
  const outcome: Outcome = { status: null, stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (outcome.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (outcome.stderr += data.toString()));
  outcome.status = await new Promise((resolve) => child.on('close', resolve));
  return outcome;
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

interface Results {
  passed: boolean;
  texts: { count: number; tokens: number };
  files: Record<'source' | 'float32' | 'int8', { bytes: number }>;
  memory: Record<'float32' | 'int8', { resident: number; added: number }>;
  speed: Record<'float32' | 'int8', { sentencesPerSecond: number; matmulMilliseconds: number }>;
  accuracy: { cosineMean: number; cosineMin: number; rankCorrelation: number | null; pairs: number };
  paraphrase: Record<'float32' | 'int8', { paraphrase: number; unrelatedMax: number }>;
  neighbours: { similarity: number; texts: [string, string] }[];
  embeddings?: { text: string; embedding: number[] }[];
}

describe.skipIf(emulated)('npm run demo (not on an emulated CPU)', () => {
  it('--json: int8 meets the accuracy bars, is smaller, and everything is measured', async () => {
    const { status, stdout, stderr } = await demo('--json', '--sentences', `${SENTENCES}`, '--rounds', '1');
    expect(stderr).toContain('timing');
    expect(status).toBe(0);
    const results = JSON.parse(stdout) as Results;
    expect(results.passed).toBe(true);
    expect(results.texts.count).toBe(SENTENCES);
    expect(results.accuracy.cosineMean).toBeGreaterThanOrEqual(0.9993);
    expect(results.accuracy.cosineMin).toBeGreaterThanOrEqual(0.998);
    expect(results.accuracy.cosineMean).toBeLessThan(1);
    expect(results.accuracy.rankCorrelation).toBeGreaterThanOrEqual(0.999);
    expect(results.accuracy.pairs).toBe((SENTENCES * (SENTENCES - 1)) / 2);
    // 4.9 M weights go from four bytes to one.
    expect(results.files.float32.bytes - results.files.int8.bytes).toBeGreaterThan(14e6);
    expect(results.memory.int8.resident).toBeLessThan(results.memory.float32.resident);
    for (const variant of ['float32', 'int8'] as const) {
      expect(results.speed[variant].sentencesPerSecond).toBeGreaterThan(0);
      expect(results.speed[variant].matmulMilliseconds).toBeGreaterThan(0);
      expect(results.paraphrase[variant].paraphrase).toBeGreaterThan(results.paraphrase[variant].unrelatedMax + 0.4);
    }
    expect(results.neighbours.length).toBeGreaterThan(0);
    expect(results).not.toHaveProperty('embeddings');
  });

  it('--text embeds the lines of a file and prints a table', async () => {
    const path = file('texts.txt', '\ufeffThe cat sat.\r\n\r\nA cat was sitting.\nStocks fell.\n');
    const { status, stdout } = await demo('--text', path, '--rounds', '1', '--threads', '1');
    expect(status).toBe(0);
    expect(stdout).toMatch(/3 texts, \d+ tokens/);
    expect(stdout).toContain('1 thread;');
    expect(stdout).toMatch(/\d\.\d{3} {2}(The cat sat\.|A cat was sitting\.)\n/);
    expect(stdout.split('\n').every((line) => line.length <= 120)).toBe(true);
  });

  it('--text --json gives the embedding of each line, of length 1', async () => {
    const { status, stdout } = await demo('--text', file('one.txt', 'One line only.'), '--json', '--rounds', '1');
    expect(status).toBe(0);
    const { embeddings, accuracy } = JSON.parse(stdout) as Results;
    expect(embeddings).toHaveLength(1);
    expect(embeddings![0]!.text).toBe('One line only.');
    expect(Math.hypot(...embeddings![0]!.embedding)).toBeCloseTo(1, 5);
    expect(accuracy.rankCorrelation).toBeNull();
  });
});

describe('bad input: one line on stderr, nothing on stdout', () => {
  it.each([
    ['a missing file', ['--text', join(folder, 'absent.txt')], 1, /ENOENT/],
    ['an empty file', ['--text', file('empty.txt', ' \n\n')], 1, /has none/],
    ['a file that is not UTF-8', ['--text', file('latin1.txt', new Uint8Array([0xe9, 0x0a]))], 1, /not UTF-8/],
    ['too many lines', ['--text', file('long.txt', 'x\n'.repeat(10_001))], 1, /at most 10000 lines/],
    ['an unknown option', ['--fast'], 2, /--fast/],
    ['threads that are not a number', ['--threads', 'many'], 2, /--threads must be an integer/],
    ['no sentences', ['--sentences', '0'], 2, /--sentences must be an integer/],
  ] as const)('%s', async (_, args, expected, message) => {
    const { status, stdout, stderr } = await demo(...args);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(status).toBe(expected);
  });

  it('--help prints the options', async () => {
    const { status, stdout } = await demo('--help');
    expect(status).toBe(0);
    for (const option of ['--text', '--json', '--threads', '--sentences', '--rounds']) expect(stdout).toContain(option);
  });
});
