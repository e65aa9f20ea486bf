// What a call costs beside the arithmetic, and whether asynchronous calls leave the event loop alone.
import { performance } from 'node:perf_hooks';
import { normal } from './cases.mjs';
import { summary } from './measure.mjs';

const ROUNDS = 30;

/** Microseconds per call of Linear.forward and of back-to-back awaits of forwardAsync, M = 1, K = 8, N = 8. */
export async function tinyCalls(qgemm) {
  const weights = qgemm.PackedWeights.fromFloat32(normal(64, 1), [8, 8], { scheme: 'int8' });
  const linear = new qgemm.Linear(weights);
  const x = normal(8, 2);
  const out = new Float32Array(8);
  const sync = [];
  const async = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const SYNC = 20_000;
    let start = performance.now();
    for (let i = 0; i < SYNC; i += 1) linear.forward(x, out);
    sync.push(((performance.now() - start) / SYNC) * 1e3);
    const ASYNC = 2000;
    start = performance.now();
    for (let i = 0; i < ASYNC; i += 1) await linear.forwardAsync(x);
    async.push(((performance.now() - start) / ASYNC) * 1e3);
  }
  weights.dispose();
  return { sync: summary(sync), async: summary(async) };
}

/** Milliseconds: for each asynchronous 512 x 4096 x 4096 call, the largest gap between two ticks of a 1 ms timer. */
export async function eventLoopGaps(qgemm) {
  const [m, k, n] = [512, 4096, 4096];
  const weights = qgemm.PackedWeights.fromFloat32(normal(n * k, 3), [n, k], { scheme: 'int8' });
  const linear = new qgemm.Linear(weights);
  const x = normal(m * k, 4);
  await linear.forwardAsync(x);
  const gaps = [];
  let last = 0;
  let largest = 0;
  const tick = () => {
    const now = performance.now();
    largest = Math.max(largest, now - last);
    last = now;
  };
  const timer = setInterval(tick, 1);
  for (let call = 0; call < 15; call += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    last = performance.now();
    largest = 0;
    await linear.forwardAsync(x);
    tick();
    gaps.push(largest);
  }
  clearInterval(timer);
  weights.dispose();
  return { gaps, ...summary(gaps), worst: Math.max(...gaps) };
}
