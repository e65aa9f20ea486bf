import { describe, expect, it } from 'vitest';
import { root, runChild } from './support/child.js';
import { scaled } from './support/emulated.js';

const setup = `
  const { Worker } = require('node:worker_threads');
  const path = ${JSON.stringify(root)};
  const fill = (length) => { const a = new Float32Array(length); for (let i = 0; i < length; i++) a[i] = ((i * 7919) % 1000) / 500 - 1; return a; };
  const start = (code, workerData) => new Worker('const { parentPort, workerData } = require("node:worker_threads"); const path = ' + JSON.stringify(path) + ';' + code, { eval: true, workerData });
  const once = (worker, event) => new Promise((resolve, reject) => { worker.once(event, resolve); worker.once('error', reject); });
`;

async function run(body: string, expected: string, env: Record<string, string> = {}): Promise<void> {
  const child = await runChild(`${setup}(async () => {${body}})();`, { env });
  expect(child).toEqual({ code: 0, signal: null, stdout: `${expected}\n`, stderr: '' });
}

describe('weights shared with worker threads', () => {
  const share = `
    const w = qgemm.PackedWeights.fromFloat32(fill(512 * 512), [512, 512]);
    const x = fill(32 * 512);
    const expected = Buffer.from(new qgemm.Linear(w).forward(x).buffer).toString('latin1');`;

  it('a worker attaches to a handle and computes the same, sync and async', async () => {
    const worker = `const q = require(path);
      const linear = new q.Linear(q.PackedWeights.attach(workerData.handle));
      linear.forwardAsync(workerData.x).then((y) => parentPort.postMessage([y, linear.forward(workerData.x)]));`;
    await run(
      `${share} const results = await Promise.all([1, 2, 3].map(() => once(start(\`${worker}\`, { handle: w.handle, x }), 'message')));
      console.log(results.flat().every((y) => Buffer.from(y.buffer).toString('latin1') === expected));`,
      'true',
    );
  });

  it('the worker keeps the weights when the thread that made them has disposed of them', async () => {
    const worker = `const q = require(path);
      const weights = q.PackedWeights.attach(workerData.handle);
      parentPort.postMessage('attached');
      parentPort.once('message', () => parentPort.postMessage(new q.Linear(weights).forward(workerData.x)));`;
    await run(
      `${share} const worker = start(\`${worker}\`, { handle: w.handle, x });
      await once(worker, 'message');
      w.dispose();
      const answer = once(worker, 'message');
      worker.postMessage('go');
      console.log(Buffer.from((await answer).buffer).toString('latin1') === expected);`,
      'true',
    );
  });

  it('attaching after everybody has let go gives DISPOSED', async () => {
    const worker = `const q = require(path);
      try { q.PackedWeights.attach(workerData); } catch (error) { parentPort.postMessage(error.code); }`;
    await run(
      `const w = qgemm.PackedWeights.fromFloat32(fill(64), [8, 8]);
      const { handle } = w; w.dispose();
      console.log(await once(start(\`${worker}\`, handle), 'message'));`,
      'ERR_QGEMM_DISPOSED',
    );
  });

  it('weights made in a worker outlive it', async () => {
    const worker = `const q = require(path);
      globalThis.kept = q.PackedWeights.fromFloat32(new Float32Array(64).fill(1), [8, 8]);
      parentPort.on('message', () => process.exit()); parentPort.postMessage(kept.handle);`;
    await run(
      `const worker = start(\`${worker}\`);
      const mine = qgemm.PackedWeights.attach(await once(worker, 'message'));
      const gone = once(worker, 'exit'); worker.postMessage('bye'); await gone;
      console.log(new qgemm.Linear(mine).forward(new Float32Array(8).fill(1))[0].toFixed(3));`,
      '8.000',
    );
  });
});

describe('worker.terminate()', () => {
  const busy = `const q = require(path);
    const linear = new q.Linear(q.PackedWeights.fromFloat32(new Float32Array(${scaled(1024, 256)} ** 2).fill(1), [${scaled(1024, 256)}, ${scaled(1024, 256)}]));
    const x = new Float32Array(${scaled(256, 64)} * ${scaled(1024, 256)}).fill(1);`;

  it.each([
    [
      'with many operations in flight',
      `${busy} for (let i = 0; i < 100; i++) linear.forwardAsync(x); parentPort.postMessage(0);`,
    ],
    ['with one running', `${busy} linear.forwardAsync(x); parentPort.postMessage(0);`],
    [
      'while operations are being delivered',
      `${busy} (async () => { parentPort.postMessage(0); for (;;) await linear.forwardAsync(x.subarray(0, 4096)); })();`,
    ],
    ['in the middle of forward', `${busy} parentPort.postMessage(0); for (;;) linear.forward(x);`],
    [
      'when idle after use',
      `${busy} linear.forwardAsync(x).then(() => { parentPort.postMessage(0); setInterval(() => {}, 1e6); });`,
    ],
    [
      'when all is disposed',
      `${busy} linear.forwardAsync(x).then(() => parentPort.postMessage(0)); linear.dispose(); setInterval(() => {}, 1e6);`,
    ],
    [
      'with cancelled operations',
      `${busy} const c = new AbortController(); for (let i = 0; i < 50; i++) linear.forwardAsync(x, { signal: c.signal }).catch(() => {}); c.abort(); parentPort.postMessage(0);`,
    ],
  ])('%s: the worker ends, the process lives', async (_, worker) => {
    await run(
      `for (let i = 0; i < ${scaled(8, 2)}; i++) { const worker = start(\`${worker}\`); await once(worker, 'message'); await worker.terminate(); }
      const y = await new qgemm.Linear(qgemm.PackedWeights.fromFloat32(fill(64), [8, 8])).forwardAsync(fill(8));
      console.log(y.length);`,
      '8',
    );
  });

  it('process.exit() inside a worker with operations in flight keeps its exit code', async () => {
    const worker = `${busy} for (let i = 0; i < 20; i++) linear.forwardAsync(x); setTimeout(() => process.exit(7), 3);`;
    await run(`console.log(await once(start(\`${worker}\`), 'exit'));`, '7');
  });

  it('a worker with operations in flight ends by itself only when they are done', async () => {
    const worker = `${busy} let done = 0; for (let i = 0; i < 10; i++) linear.forwardAsync(x).then(() => { if (++done === 10) parentPort.postMessage(done); });`;
    await run(
      `const worker = start(\`${worker}\`); let got; worker.on('message', (v) => (got = v)); await once(worker, 'exit'); console.log(got);`,
      '10',
    );
  });

  const rounds = scaled(10, 2);
  it(`${rounds * 10} workers start, compute and stop, 10 at a time`, async () => {
    const worker = `const q = require(path);
      const linear = new q.Linear(q.PackedWeights.fromFloat32(new Float32Array(256 * 256).fill(1), [256, 256]));
      linear.forwardAsync(new Float32Array(64 * 256).fill(1)).then((y) => parentPort.postMessage(y[0]));`;
    await run(
      `let sum = 0;
      for (let round = 0; round < ${rounds}; round++) {
        const workers = Array.from({ length: 10 }, () => start(\`${worker}\`));
        for (const y of await Promise.all(workers.map((worker) => once(worker, 'message')))) sum += Math.round(y);
        await Promise.all(workers.map((worker) => worker.terminate()));
      }
      console.log(sum);`,
      String(rounds * 10 * 256),
    );
  });
});

describe('a process whose main thread never loads the addon', () => {
  it('survives workers that load it, use the pool and go: Node unloads addons with the last of them', async () => {
    const worker = `const q = require(${JSON.stringify(root)});
      const linear = new q.Linear(q.PackedWeights.fromFloat32(new Float32Array(512 * 512).fill(1), [512, 512]));
      linear.forwardAsync(new Float32Array(64 * 512).fill(1)).then(() => require("node:worker_threads").parentPort.postMessage(0));`;
    const child = await runChild(
      `const { Worker } = require('node:worker_threads');
      (async () => {
        for (let i = 0; i < 6; i++) {
          const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
          await new Promise((resolve) => worker.once('message', resolve));
          await worker.terminate();
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        console.log('alive');
      })();`,
      { loadPackage: false },
    );
    expect(child).toEqual({ code: 0, signal: null, stdout: 'alive\n', stderr: '' });
  });
});
