import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { inspect, verify, type ConvertReport, type VerifyReport } from '../lib/index.js';
import { cliPath, qgemm } from './support/cli.js';
import { f32, parseSafetensors, safetensorsBytes, temporaryFolder, writeSafetensors } from './support/safetensors.js';

const tensors = {
  'a.weight': f32([64, 70]),
  'a.bias': f32([64]),
  'b.weight': f32([8, 64]),
  'embed.weight': f32([10, 64]),
};
let folder: string;
let input: string;
let output: string;
beforeEach(() => {
  folder = temporaryFolder();
  input = writeSafetensors(join(folder, 'in.safetensors'), tensors, { format: 'pt' });
  output = join(folder, 'out.safetensors');
});

const oneLine = (code: string): RegExp => new RegExp(`^${code}: [^\\n]+\\n$`);

describe('qgemm convert', () => {
  it('converts, says what it did, and shows a line per tensor where there is no terminal', () => {
    const { status, stdout, stderr } = qgemm('convert', input, '-o', output);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /out.safetensors: int8, per-channel, symmetric\n {2}2 weights packed: .*\n {2}1 tensor kept: 2.56 kB\n/,
    );
    expect(stderr).toMatch(/^\[1\/4\] \d+ % a.weight\n(?:\[\d\/4\] \d+ % \S+\n){2}\[4\/4\] 100 % embed.weight\n$/);
    expect(inspect(output).weights.map(({ name }) => name)).toEqual(['a.weight', 'b.weight']);
  });

  it('passes every option on', () => {
    const flags = ['--scheme', 'int8', '--granularity', 'per-tensor', '--asymmetric', '--activations', 'symmetric'];
    const globs = ['--include', 'embed*', '--include', 'a.*', '--exclude', '*.bias'];
    const { status, stdout, stderr } = qgemm(
      'convert',
      input,
      '--output',
      output,
      ...flags,
      ...globs,
      '--quiet',
      '--json',
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const report = JSON.parse(stdout) as ConvertReport;
    expect(report).toMatchObject({
      scheme: 'int8',
      granularity: 'per-tensor',
      symmetric: false,
      activations: 'symmetric',
      packed: 2,
      kept: 2,
    });
    expect(inspect(output).weights.map(({ name, symmetric }) => [name, symmetric])).toEqual([
      ['a.weight', false],
      ['embed.weight', false],
    ]);
  });

  it('--json: one object on standard output, progress as lines of JSON on standard error', () => {
    const { stdout, stderr } = qgemm('convert', input, '-o', output, '--json', '--scheme', 'float32');
    expect(JSON.parse(stdout)).toMatchObject({ input, output, format: 'safetensors', scheme: 'float32' });
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { tensorsDone: number });
    expect(lines.map(({ tensorsDone }) => tensorsDone)).toEqual([1, 2, 3, 4]);
  });

  it('--non-finite clip accepts what is refused otherwise', () => {
    writeSafetensors(input, { 'a.weight': { dtype: 'F32', shape: [1, 2], data: Float32Array.of(NaN, 1) } });
    const refused = qgemm('convert', input, '-o', output);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(oneLine('ERR_QGEMM_RANGE'));
    expect(qgemm('convert', input, '-o', output, '--non-finite', 'clip').status).toBe(0);
  });
});

describe('errors', () => {
  it.each([
    ['no command', []],
    ['an unknown command', ['transmogrify']],
    ['no input', ['convert', '-o', 'x']],
    ['no output', ['convert', 'x']],
    ['an unknown option', ['convert', 'x', '-o', 'y', '--fast']],
    ['an unknown scheme', ['convert', 'x', '-o', 'y', '--scheme', 'int3']],
    ['a scheme of another format', ['convert', 'x', '-o', 'y', '--scheme', 'q8_0']],
    ['zero points that a format does not have', ['convert', 'x', '-o', 'y', '--format', 'gguf', '--asymmetric']],
    ['formulas of another scheme', ['convert', 'x', '-o', 'y', '--numerics', 'ggml']],
    ['an empty glob', ['convert', 'x', '-o', 'y', '--include', '']],
    ['an option without its value', ['convert', 'x', '-o']],
    ['too many arguments', ['convert', 'x', 'y', '-o', 'z']],
    ['inspect without a file', ['inspect']],
    ['verify with one file', ['verify', 'x']],
  ])('wrong usage, %s: status 2', (_, args) => {
    const { status, stdout, stderr } = qgemm(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(oneLine('ERR_QGEMM_ARGUMENT'));
  });

  it.each([
    ['an input that is missing', 'ERR_QGEMM_IO', () => ['convert', join(folder, 'no'), '-o', output]],
    ['an output in no folder', 'ERR_QGEMM_IO', () => ['convert', input, '-o', join(folder, 'no', 'out')]],
    ['a glob that matches nothing', 'ERR_QGEMM_ARGUMENT', () => ['convert', input, '-o', output, '--exclude', 'zzz']],
    ['inspect of a text', 'ERR_QGEMM_FORMAT', () => ['inspect', cliPath]],
    ['verify against a text', 'ERR_QGEMM_FORMAT', () => ['verify', input, cliPath]],
  ] as const)('%s: status 1', (_, code, args) => {
    const before = readdirSync(folder);
    const { status, stdout, stderr } = qgemm(...args());
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(oneLine(code));
    expect(readdirSync(folder)).toEqual(before);
  });

  it('--debug adds the stack below the line, wherever it stands', () => {
    for (const args of [
      ['--debug', 'inspect', 'no'],
      ['inspect', 'no', '--debug'],
    ]) {
      const { status, stderr } = qgemm(...args);
      expect(status).toBe(1);
      expect(stderr).toMatch(/^ERR_QGEMM_IO: [^\n]+\nQgemmError: [^\n]+\n {4}at /);
    }
  });

  it('control characters of a file do not reach the terminal', () => {
    writeSafetensors(input, { 'a\u001b[31m\n.weight': f32([2, 2]) });
    const { stdout } = qgemm('inspect', input);
    expect(stdout).toContain('a\\u001b[31m\\u000a.weight');
    expect(stdout).not.toContain('\u001b');
  });

  it('a reader that goes away is no error', () => {
    const names = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`tensor.number.${i}`, f32([1])]));
    writeSafetensors(input, names);
    const command = `"${process.execPath}" "${cliPath}" inspect "${input}" | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/5000 tensors.*\n0\n$/);
  });
});

describe('help and version', () => {
  it.each(['convert', 'inspect', 'verify', 'bench'])('%s --help has exit statuses and the environment', (command) => {
    const { stdout } = qgemm(command, '--help');
    for (const part of ['Exit status:', '2    wrong usage', 'QGEMM_NUM_THREADS', 'QGEMM_MAX_ISA']) {
      expect(stdout).toContain(part);
    }
  });

  it('are printed on standard output with status 0', () => {
    for (const args of [['--help'], ['help'], ['convert', '--help'], ['help', 'verify']]) {
      const { status, stdout, stderr } = qgemm(...args);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(/^Usage: qgemm/);
    }
    const { version } = JSON.parse(readFileSync(join(cliPath, '..', '..', 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(qgemm('--version')).toMatchObject({ status: 0, stdout: `${version}\n` });
  });
});

describe('qgemm inspect and verify', () => {
  it('inspect lists an original and a converted file, as text and as JSON', () => {
    expect(qgemm('inspect', input).stdout).toMatch(
      /safetensors, 1 file, 4 tensors.*\n\ndtype.*tensor\nF32 +\[64, 70\] +17.9 kB +N 64, K 70 +a.weight\n[^]*metadata\n\nformat: pt\n$/,
    );
    qgemm('convert', input, '-o', output);
    expect(qgemm('inspect', output).stdout).toMatch(
      /qgemm, 1 file[^]*2 packed weights\n\nscheme[^]*int8 per-channel +64 +70 +\S+ kB +a.weight +a.bias\n/,
    );
    const report = JSON.parse(qgemm('inspect', output, '--json').stdout) as { metadata: object; weights: object[] };
    expect(report.metadata).toMatchObject({ format: 'pt', 'qgemm.format_version': '1' });
    expect(report.weights[0]).toMatchObject({ name: 'a.weight', scheme: 'int8', n: 64, k: 70 });
  });

  it('verify prints the worst weight first and says what is equal', () => {
    qgemm('convert', input, '-o', output);
    const { status, stdout } = qgemm('verify', input, output);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /SQNR[^]*2 converted weights: [^]*worst: SQNR \d+\.\d+ dB[^]*1 kept tensor is equal byte for byte; 0 tensors are not/,
    );
    const report = JSON.parse(qgemm('verify', input, output, '--json').stdout) as VerifyReport;
    expect(report.weights.map(({ sqnr }) => sqnr)).toEqual(
      report.weights.map(({ sqnr }) => sqnr).sort((a, b) => a - b),
    );
  });

  it('verify of a file with other values: the report, then status 1', async () => {
    qgemm('convert', input, '-o', output);
    const file = parseSafetensors(readFileSync(output));
    const changed = Object.fromEntries(
      [...file.tensors].map(([name, { dtype, shape, bytes }]) => [name, { dtype, shape, data: Buffer.from(bytes) }]),
    );
    changed['embed.weight']!.data[5]! ^= 1;
    writeFileSync(output, safetensorsBytes(changed, file.metadata));
    expect((await verify(input, output)).mismatches).toEqual([{ name: 'embed.weight', problem: 'its bytes differ' }]);
    const { status, stdout, stderr } = qgemm('verify', input, output);
    expect(status).toBe(1);
    expect(stdout).toContain('embed.weight: its bytes differ');
    expect(stderr).toMatch(oneLine('ERR_QGEMM_FORMAT'));
  });
});

describe('qgemm bench', () => {
  it('times both schemes on one thread and on all, and names the CPU', () => {
    const { status, stdout } = qgemm('bench', '--quick', '--json');
    expect(status).toBe(0);
    const { cpu, node, results } = JSON.parse(stdout) as {
      cpu: { isa: string; numThreads: number };
      node: string;
      results: { threads: number; int8: { gops: number }; cosine: number }[];
    };
    expect(cpu.isa).toMatch(/^[a-z0-9]+$/);
    expect(node).toBe(process.versions.node);
    expect(results.map(({ threads }) => threads)).toEqual([...new Set([1, cpu.numThreads])]);
    for (const { int8, cosine } of results) {
      expect(int8.gops).toBeGreaterThan(0);
      expect(cosine).toBeGreaterThan(0.999);
    }
  });

  it('takes shapes, threads and rounds, and prints a line for each', () => {
    const { status, stdout, stderr } = qgemm(
      'bench',
      '--shapes',
      '1x64x96,3x70x5',
      '--threads',
      '2,1',
      '--rounds',
      '2',
    );
    expect(status).toBe(0);
    expect(stderr).toBe('');
    const lines = stdout.split('\n').map((line) => line.trim().split(/\s+/));
    const rows = lines.filter(([first]) => first === '1' || first === '2');
    expect(rows.map((cells) => cells.slice(0, 4).join(' '))).toEqual([
      '2 1 64 96',
      '1 1 64 96',
      '2 3 70 5',
      '1 3 70 5',
    ]);
    expect(stdout).toMatch(/^int8 kernels: +gemm_u8s8f32_/m);
    expect(stdout).toContain(`Node ${process.version}`);
  });

  it.each([
    ['--shapes', '1x2'],
    ['--shapes', '1x2x0'],
    ['--shapes', '1x2x1e3'],
    ['--threads', '0'],
    ['--threads', '1,x'],
    ['--rounds', '-1'],
    ['--frames', '1'],
  ])('says what is wrong with %s %s, with status 2', (option, value) => {
    const { status, stdout, stderr } = qgemm('bench', option, value);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^ERR_QGEMM_ARGUMENT: .+\n$/);
    expect(stderr).toContain(option);
  });

  it('leaves limits to the library, with status 1', () => {
    const { status, stderr } = qgemm('bench', '--shapes', '1x70000x1', '--rounds', '1');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^ERR_QGEMM_LIMIT: /);
  });
});
