import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cpuInfo, setNumThreads } from '../lib/index.js';
import { root, runChild } from './support/child.js';

const threads = cpuInfo().numThreads;
afterAll(() => setNumThreads(threads));

describe('cpuInfo', () => {
  it('names the ISA in use, and only kernels that can run', () => {
    const info = cpuInfo();
    const tags = ['scalar', ...info.features];
    expect(tags).toContain(info.isa);
    for (const kernel of info.kernels) expect(tags).toContain(kernel.split('_').at(-1));
    for (const operation of ['gemm_u8s8f32', 'gemm_f32', 'quantize_row_f32u8']) {
      expect(info.kernels.some((kernel) => kernel.startsWith(operation) && kernel.endsWith('_scalar'))).toBe(true);
    }
    expect(typeof info.model).toBe('string');
    expect(Object.keys(info.caches)).toEqual(['l1d', 'l2', 'l3']);
  });
});

describe('setNumThreads', () => {
  it.each([1, 2, 7, 1024])('takes %d', (count) => {
    setNumThreads(count);
    expect(cpuInfo().numThreads).toBe(count);
  });

  it.each<[unknown, string]>([
    [0, 'RANGE'],
    [-1, 'RANGE'],
    [1025, 'RANGE'],
    [1.5, 'RANGE'],
    [NaN, 'RANGE'],
    [Infinity, 'RANGE'],
    ['2', 'ARGUMENT'],
    [undefined, 'ARGUMENT'],
    [2n, 'ARGUMENT'],
  ])('refuses %s with %s and changes nothing', (count, code) => {
    setNumThreads(3);
    expect(() => setNumThreads(count as number)).toThrow(expect.objectContaining({ code: `ERR_QGEMM_${code}` }));
    expect(cpuInfo().numThreads).toBe(3);
  });
});

const report = 'console.log(JSON.stringify([qgemm.cpuInfo().isa, qgemm.cpuInfo().numThreads]));';
const attempt = `try { const qgemm = require(process.cwd()); ${report} } catch (error) { console.log(error.name, error.code, error.message); }`;
// The suite itself may run under such variables (scripts/test-isas.mjs): here only those of the case count.
const unset = { QGEMM_MAX_ISA: '', QGEMM_KERNEL: '', QGEMM_NUM_THREADS: '' };
const load = (env: Record<string, string>) => runChild(attempt, { env: { ...unset, ...env }, loadPackage: false });

describe('environment variables', () => {
  it('QGEMM_MAX_ISA is a ceiling', async () => {
    expect((await load({ QGEMM_MAX_ISA: 'scalar' })).stdout).toMatch(/^\["scalar",/);
    // A ceiling that no CPU of this kind reaches changes nothing.
    const best = JSON.parse((await load({})).stdout) as unknown[];
    expect(JSON.parse((await load({ QGEMM_MAX_ISA: 'amxint8' })).stdout)).toEqual(best);
  });

  it('QGEMM_NUM_THREADS sets the threads', async () => {
    expect((await load({ QGEMM_NUM_THREADS: '5' })).stdout).toMatch(/,5\]\n$/);
    expect((await load({ QGEMM_NUM_THREADS: '' })).stdout).toMatch(/,\d+\]\n$/);
  });

  it('without it, no more threads than CPUs that the process may use', async () => {
    const child = await runChild(report, { env: { QGEMM_NUM_THREADS: '' } });
    const [, count] = JSON.parse(child.stdout) as [string, number];
    expect(count).toBeGreaterThanOrEqual(1);
    expect(count).toBeLessThanOrEqual(availableParallelism());
  });

  // Linux only: the first CPU that this process may run on, alone.
  const status = process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : '';
  const first = /^Cpus_allowed_list:\s*(\d+)/m.exec(status)?.[1];
  const code = `console.log(require(${JSON.stringify(root)}).cpuInfo().numThreads)`;
  const pin = (): string =>
    spawnSync('taskset', ['-c', first ?? '', process.execPath, '-e', code], {
      encoding: 'utf8',
      env: { ...process.env, QGEMM_NUM_THREADS: '' },
    }).stdout;
  it.skipIf(first === undefined || spawnSync('taskset', ['-V']).status !== 0)(
    'a process bound to one CPU gets one thread (Linux with taskset)',
    () => {
      expect(pin()).toBe('1\n');
    },
  );

  it.each([
    ['QGEMM_MAX_ISA', 'sse9', 'ARGUMENT'],
    ['QGEMM_KERNEL', 'gemm_fast', 'ARGUMENT'],
    ['QGEMM_NUM_THREADS', '0', 'ARGUMENT'],
    ['QGEMM_NUM_THREADS', '1025', 'ARGUMENT'],
    ['QGEMM_NUM_THREADS', '2x', 'ARGUMENT'],
    ['QGEMM_NUM_THREADS', '-1', 'ARGUMENT'],
    ['QGEMM_NUM_THREADS', '99999999999999999999', 'ARGUMENT'],
  ])('%s=%s is refused by name', async (name, value, code) => {
    const child = await load({ [name]: value });
    expect(child.code).toBe(0);
    expect(child.stdout).toContain(`QgemmError ERR_QGEMM_${code} ${name}`);
    expect(child.stdout).toContain(value);
  });

  // One line per kernel; those of this architecture that cpuInfo() leaves out are the ones that the CPU lacks.
  const isas = { x64: /avx/, arm64: /neon/ }[process.arch as 'x64' | 'arm64'];
  const table = readFileSync(join(root, 'native', 'kernels', 'kernels.inc'), 'utf8');
  const list = `console.log(require(${JSON.stringify(root)}).cpuInfo().kernels.join())`;
  const environment = { ...process.env, ...unset };
  const usable = spawnSync(process.execPath, ['-e', list], { encoding: 'utf8', env: environment })
    .stdout.trim()
    .split(',');
  const absent = [...table.matchAll(/^QGEMM_GEMM_KERNEL\((\w+), (\d+), (\d+), (\d+), (\w+)\)/gm)]
    .filter(([, , , , , isa]) => isas.test(isa!))
    .map(([, op, mr, nr, kr, isa]) => `${op}_${mr}x${nr}c${kr}_${isa}`)
    .filter((name) => !usable.includes(name));

  it('QGEMM_KERNEL takes a kernel that can run', async () => {
    for (const kernel of usable.slice(0, 2)) {
      expect((await load({ QGEMM_KERNEL: kernel })).stdout).toMatch(/^\["/);
    }
  });

  it.skipIf(absent.length === 0)(
    `a kernel that this CPU lacks is refused with ERR_QGEMM_ISA (${absent[0] ?? 'it has all: not run'})`,
    async () => {
      const refused = await load({ QGEMM_KERNEL: absent[0]! });
      expect(refused.stdout).toContain('QgemmError ERR_QGEMM_ISA');
      expect(refused.stdout).toContain(absent[0]);
    },
  );

  it('a refused load can be tried again, also in a worker, and is refused again', async () => {
    const child = await runChild(
      `const { Worker } = require('node:worker_threads');
      const attempt = 'try { require(process.cwd()); console.log("loaded"); } catch (error) { console.log(error.code); }';
      eval(attempt); eval(attempt); new Worker(attempt, { eval: true });`,
      { env: { QGEMM_NUM_THREADS: 'many' }, loadPackage: false },
    );
    expect(child).toMatchObject({ code: 0, stdout: 'ERR_QGEMM_ARGUMENT\n'.repeat(3), stderr: '' });
  });
});
