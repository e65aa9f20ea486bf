import { describe, expect, it } from 'vitest';
import { root, runChild } from './support/child.js';
import { scaled } from './support/emulated.js';

const setup = `
  const [n, k] = [${scaled(1024, 256)}, ${scaled(1024, 256)}];
  const linear = new qgemm.Linear(qgemm.PackedWeights.fromFloat32(new Float32Array(n * k).fill(1), [n, k]));
  const x = new Float32Array(${scaled(256, 32)} * k).fill(1);
  const start = (count) => { for (let i = 0; i < count; i++) linear.forwardAsync(x); };
`;

describe('the end of a process with operations in flight', () => {
  it.each([
    ['process.exit(3)', 'start(50); process.exit(3);', 3],
    ['process.exit(3) a little later', 'start(50); setTimeout(() => process.exit(3), 4);', 3],
    [
      'process.exit() during forward on another tick',
      'start(5); setImmediate(() => { linear.forward(x); process.exit(4); });',
      4,
    ],
    ['an uncaught exception', 'start(50); throw new Error("planned");', 1],
    ['an unhandled rejection', 'start(50); Promise.reject(new Error("planned"));', 1],
    ['a failing operation that nobody catches', 'linear.forwardAsync("x"); start(3);', 1],
  ])('%s keeps its exit code', async (_, code, expected) => {
    for (let round = 0; round < 5; round++) {
      expect(await runChild(setup + code)).toMatchObject({ code: expected, signal: null });
    }
  });

  it('waits for outstanding promises, and for nothing else', async () => {
    const child =
      await runChild(`${setup} let done = 0; for (let i = 0; i < 5; i++) linear.forwardAsync(x).then(() => ++done);
      process.on('exit', () => console.log(done));`);
    expect(child).toEqual({ code: 0, signal: null, stdout: '5\n', stderr: '' });
  });

  it.skipIf(process.platform === 'win32')('SIGTERM ends it at once, as by default (not on Windows)', async () => {
    const child = await runChild(`${setup} start(1000); setInterval(() => {}, 1000); console.log('ready');`, {
      onLine: (line, kill) => line === 'ready' && kill('SIGTERM'),
    });
    expect(child).toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  it.skipIf(process.platform === 'win32')(
    "signals reach the host's handlers, on its thread (not on Windows)",
    async () => {
      const child = await runChild(
        `${setup} process.on('SIGUSR2', () => { console.log('signal'); process.exit(9); }); start(1000); console.log('ready');`,
        { onLine: (line, kill) => line === 'ready' && kill('SIGUSR2') },
      );
      expect(child).toMatchObject({ code: 9, stdout: 'ready\nsignal\n' });
    },
  );
});

describe('child processes', () => {
  it('fork, spawn and exec work beside a busy pool, and the children use the package', async () => {
    const child = await runChild(`${setup} start(20);
      const { execFileSync } = require('node:child_process');
      const code = 'const q = require(' + JSON.stringify(${JSON.stringify(root)}) + '); const l = new q.Linear(q.PackedWeights.fromFloat32(new Float32Array(4096).fill(1), [64, 64])); l.forwardAsync(new Float32Array(64 * 512).fill(1)).then((y) => console.log(y.length))';
      for (let i = 0; i < 3; i++) process.stdout.write(execFileSync(process.env.QGEMM_TEST_LAUNCHER || process.execPath, ['-e', code]));
      process.exit(0);`);
    expect(child).toMatchObject({ code: 0, stdout: '32768\n'.repeat(3), stderr: '' });
  });
});

describe('the floating-point environment', () => {
  it('JavaScript arithmetic on denormals is the same before, during and after', async () => {
    const child = await runChild(`${setup}
      const tiny = new Float64Array([5e-324, 2 ** -1060, 1e-310]);
      const probe = () => [tiny[0] * 1, tiny[1] / 2, tiny[2] * 0.3, 0.1 + 0.2, 1 / 3, Math.sqrt(tiny[2])].join();
      (async () => {
        const seen = new Set([probe()]);
        for (let i = 0; i < 20; i++) {
          const promise = linear.forwardAsync(x);
          seen.add(probe()); linear.forward(x); seen.add(probe()); await promise; seen.add(probe());
        }
        console.log(seen.size, tiny[0] * 1 > 0);
      })();`);
    expect(child).toEqual({ code: 0, signal: null, stdout: '1 true\n', stderr: '' });
  });
});
