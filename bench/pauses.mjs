// Latency with something else between the calls: a model computes attention, norms and activations of its own between its
// layers, and helpers of a thread pool fall asleep meanwhile.
import { performance } from 'node:perf_hooks';
import { normal } from './cases.mjs';
import { summary } from './measure.mjs';

const PAUSES_US = [10, 50, 200];
const ROUNDS = 5;
const CALLS = 400; // of each round
const BUDGET_MS = 150; // of each round; fewer calls where they are slow

/** Median latency in milliseconds of calls with a busy pause before each. */
function median(run, pause) {
  const samples = [];
  const end = performance.now() + BUDGET_MS;
  while (samples.length < CALLS && performance.now() < end) {
    const until = performance.now() + pause / 1e3;
    while (performance.now() < until);
    const start = performance.now();
    run();
    samples.push(performance.now() - start);
  }
  return summary(samples).median;
}

/**
 * For each of `shapes` [m, k, n] and number of threads: {shape, threads, pauses: [{pause, median}]}, pauses in
 * microseconds and medians in milliseconds. Numbers of threads take turns; each figure is the median of the rounds'
 * medians. Throws where a result is not that of one thread.
 */
export function pauseRounds(qgemm, shapes, threads) {
  const rows = [];
  for (const [m, k, n] of shapes) {
    const weights = qgemm.PackedWeights.fromFloat32(normal(n * k, 5), [n, k], { scheme: 'int8' });
    const linear = new qgemm.Linear(weights);
    const x = normal(m * k, 6);
    const out = new Float32Array(m * n);
    qgemm.setNumThreads(1);
    const expected = Buffer.from(linear.forward(x).buffer);
    const medians = new Map(threads.map((count) => [count, PAUSES_US.map(() => [])]));
    PAUSES_US.forEach((pause, at) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const count of threads) {
          qgemm.setNumThreads(count);
          out.fill(0);
          medians.get(count)[at].push(median(() => linear.forward(x, out), pause));
          if (!expected.equals(new Uint8Array(out.buffer))) {
            throw new Error(`--pauses: ${m}x${k}x${n} on ${count} threads gave another result than on one`);
          }
        }
      }
    });
    for (const count of threads) {
      const pauses = PAUSES_US.map((pause, at) => ({ pause, median: summary(medians.get(count)[at]).median }));
      rows.push({ shape: [m, k, n], threads: count, pauses });
    }
    weights.dispose();
  }
  return rows;
}

export function pauseLines(rows) {
  const heads = PAUSES_US.map((pause) => `${pause} us`.padStart(9));
  return [
    'with other work of so long before each call, median us:',
    ` T     M     K     N ${heads.join(' ')}`,
    ...rows.map(({ shape, threads, pauses }) =>
      [
        String(threads).padStart(2),
        ...shape.map((size) => String(size).padStart(5)),
        ...pauses.map(({ median: ms }) => (ms * 1e3).toFixed(1).padStart(9)),
      ].join(' '),
    ),
  ];
}
