// One shape: who takes part, whether their results are right, and their times.
import { checkResult, normal } from './cases.mjs';
import { readLoop } from './limits.mjs';
import { inTurn, interleave } from './measure.mjs';

const SETTLE_MS = 50; // with several threads: the idle ones of onnxruntime and of OpenMP spin for some ten ms
/** Up to this many rows the time may be that of reading the weights, so a read-only loop is measured too. */
const READ_BOUND_ROWS = 4;
const LEAST_READ = 32 * 1024; // bytes; less is read in no time that a loop could measure

/** Linear.forward in both precisions; with several threads also on one, in the same rounds. */
function ours(qgemm, weights, x, m, threads) {
  const contestants = [];
  for (const precision of ['int8', 'float32']) {
    const out = new Float32Array(m * weights.n);
    for (const count of threads > 1 ? [threads, 1] : [1]) {
      contestants.push({
        name: count === threads ? precision : `${precision} 1 thread`,
        owner: 'qgemm',
        before: () => qgemm.setNumThreads(count),
        run: inTurn(weights[precision].map((linear) => () => linear.forward(x, out))),
        result: () => weights[precision][0].forward(x, out),
      });
    }
  }
  return contestants;
}

/** onnxruntime-node, each precision in each way to call it. */
function onnxruntime(sessions, x, m) {
  return ['int8', 'float32'].flatMap((precision) =>
    sessions[precision](x, m).map((run, way) => ({
      name: `peer ${precision} ${way}`,
      owner: `peer ${precision}`,
      async: true,
      run,
      result: async () => (await run()).y.data,
    })),
  );
}

/** A peer is credited with the faster of its ways. */
function creditFastest(results) {
  for (const name of ['peer int8', 'peer float32', 'torch int8']) {
    const ways = [...results].filter(([key]) => key.startsWith(`${name} `)).map(([, result]) => result);
    if (ways.length === 0) continue;
    const fastest = ways.reduce((a, b) => (b.median < a.median ? b : a));
    results.set(name, fastest);
  }
}

/** Checks every contestant's result, then times them all. `torch` is what startTorch().load gave, or undefined. */
export async function measureShape(qgemm, { weights, sessions, torch, peak }, m, threads, rounds) {
  const { n, k, layers } = weights;
  const x = normal(m * k, m + k);
  const contestants = [
    ...ours(qgemm, weights, x, m, threads),
    ...(sessions ? onnxruntime(sessions, x, m) : []),
    ...(torch ? await torch(x, m, threads) : []),
  ];
  const errors = {};
  for (const { name, before, result } of contestants) {
    before?.();
    errors[name] = checkResult(name, weights, x, m, await result());
  }
  const peaks = { int8: [], float32: [] };
  const read = m <= READ_BOUND_ROWS && n * k >= LEAST_READ ? readLoop(n * k, threads, layers) : undefined;
  const measureLimits = () => {
    for (const precision of ['int8', 'float32']) peaks[precision].push(peak[precision]());
    read?.round();
  };
  const settle = threads > 1 ? SETTLE_MS : 0;
  const results = await interleave(contestants, { rounds, layers, settle, between: measureLimits });
  creditFastest(results);
  return { threads, m, k, n, layers, results: Object.fromEntries(results), peaks, read: read?.result(), errors };
}
