// What a caller does with buffers, weights and layers while an operation is in flight must not matter, or must reject as
// documented. Each case runs in a process of its own: a use after free would end that process with a signal.
import { describe, expect, it } from 'vitest';
import { runChild } from './support/child.js';
import { emulated, scaled } from './support/emulated.js';

const setup = `
  const { Worker, MessageChannel } = require('node:worker_threads');
  const [m, n, k] = [${scaled(96, 24)}, ${scaled(768, 192)}, ${scaled(768, 192)}];
  const resizable = (length) => {
    const bytes = length * 4;
    return new Float32Array(new ArrayBuffer(bytes, { maxByteLength: bytes }));
  };
  const filled = (length, seed) => resizable(length).map((_, i) => ((i * 2654435761 + seed) % 1000) / 500 - 1);
  const fill = (array, seed) => { for (let i = 0; i < array.length; i++) array[i] = ((i * 7919 + seed) % 1000) / 500 - 1; return array; };
  const data = fill(new Float32Array(n * k), 1);
  let bias = fill(resizable(n), 2);
  let x = fill(resizable(m * k), 3);
  let out = resizable(m * n);
  let weights = qgemm.PackedWeights.fromFloat32(data, [n, k], { scheme: SCHEME });
  let linear = new qgemm.Linear(weights, { bias });
  const expected = linear.forward(x).slice();
  const same = (y) => Buffer.compare(Buffer.from(y.buffer, y.byteOffset, y.byteLength), Buffer.from(expected.buffer)) === 0;
  const collect = () => { for (let i = 0; i < 3; i++) gc(); const junk = []; for (let i = 0; i < 200; i++) junk.push(new Float32Array(30000).fill(i)); };
  const { port1 } = new MessageChannel();
  port1.on('message', () => {});
  const finish = (text) => { console.log(text); port1.close(); };
`;

const mutations: Record<string, string> = {
  'transferred by structuredClone': 'structuredClone(ARRAY.buffer, { transfer: [ARRAY.buffer] });',
  'posted away': 'port1.postMessage(ARRAY.buffer, [ARRAY.buffer]);',
  'resized to 0': 'ARRAY.buffer.resize(0);',
  'filled with other values': 'ARRAY.fill(NaN);',
  'dropped and collected': 'ARRAY = undefined; collect();',
};

async function run(scheme: string, body: string): Promise<string> {
  const code = `const SCHEME = '${scheme}';${setup}(async () => {${body}})().catch((error) => finish(String(error)));`;
  const child = await runChild(code, { nodeArguments: ['--expose-gc'] });
  expect(child).toMatchObject({ code: 0, signal: null, stderr: '' });
  return child.stdout.trim();
}

// One process for each case: on an emulated CPU the first kind of weights has to do.
const schemes = emulated ? ['int8'] : ['int8', 'float32'];

describe.each(schemes)('buffers changed while forwardAsync runs: %s weights', (scheme) => {
  for (const [how, mutation] of Object.entries(mutations)) {
    const apply = (array: string): string => `${mutation.replaceAll('ARRAY', array)} collect();`;

    it(`x ${how}: the result is that of the bytes at the call`, async () => {
      const body = `const jobs = [1, 2, 3, 4].map(() => linear.forwardAsync(x)); ${apply('x')}
        finish((await Promise.all(jobs)).every(same) ? 'same' : 'different');`;
      expect(await run(scheme, body)).toBe('same');
    });

    it(`bias ${how}: the layer has its own copy`, async () => {
      const body = `const jobs = [1, 2, 3, 4].map(() => linear.forwardAsync(x)); ${apply('bias')}
        finish((await Promise.all(jobs)).every(same) ? 'same' : 'different');`;
      expect(await run(scheme, body)).toBe('same');
    });

    it(`out ${how}: written if it still can be, else the promise rejects`, async () => {
      const detached = !/filled|dropped/.test(how);
      const body = `const job = linear.forwardAsync(x, { out }); ${apply('out')}
        await job.then((y) => finish(same(y) ? 'same' : 'different'), (error) => finish(error.code));`;
      expect(await run(scheme, body)).toBe(detached ? 'ERR_QGEMM_DETACHED' : 'same');
    });
  }

  it.each([
    ['weights.dispose()', 'weights.dispose(); weights = undefined;', 'same'],
    ['linear.dispose()', 'linear.dispose();', 'ERR_QGEMM_DISPOSED'],
    ['both disposed', 'weights.dispose(); linear.dispose();', 'ERR_QGEMM_DISPOSED'],
    ['both dropped and collected', 'weights = undefined; setImmediate(() => collect());', 'same'],
  ])('%s: operations in flight finish', async (_, action, later) => {
    const body = `const jobs = [1, 2, 3, 4].map(() => linear.forwardAsync(x)); ${action} collect();
      if (!(await Promise.all(jobs)).every(same)) return finish('different');
      await linear.forwardAsync(x).then((y) => finish(same(y) ? 'same' : 'different'), (error) => finish(error.code));`;
    expect(await run(scheme, body)).toBe(later);
  });

  it('x on a SharedArrayBuffer written by another thread: no crash, and the size is right', async () => {
    const body = `const shared = new Float32Array(new SharedArrayBuffer(m * k * 4)); shared.set(x);
      const code = 'const { workerData } = require("node:worker_threads"); let i = 0; for (;;) workerData.fill(++i % 3 ? NaN : i);';
      const worker = new Worker(code, { eval: true, workerData: shared });
      await new Promise((ready) => worker.once('online', ready));
      const all = [];
      for (let i = 0; i < 20; i++) all.push(await linear.forwardAsync(shared), linear.forward(shared));
      await worker.terminate();
      finish(all.every((y) => y.length === m * n) ? 'same' : 'different');`;
    expect(await run(scheme, body)).toBe('same');
  });
});
