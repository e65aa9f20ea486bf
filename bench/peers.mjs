// onnxruntime-node, where "npm run bench:peers" has installed it into bench/node_modules.
import { createRequire } from 'node:module';
import { dynamicQuantizeMatMul, matMul } from './onnx-model.mjs';

const require = createRequire(import.meta.url);

function load() {
  try {
    const ort = require('onnxruntime-node');
    return { ort, version: require('onnxruntime-node/package.json').version };
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

const loaded = load();

/** "onnxruntime-node 1.2.3", or undefined when it is not installed. */
export const peerName = loaded && `onnxruntime-node ${loaded.version}`;

/** Sessions of the two models for one (K, N) and one number of threads, as functions x, m -> [() => promise of {y}, ...]. */
export async function peers({ n, k, transposed, codesTransposed, scales }, threads) {
  if (!loaded) return undefined;
  const { InferenceSession, Tensor } = loaded.ort;
  const options = {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  };
  const sessions = [
    await InferenceSession.create(dynamicQuantizeMatMul(codesTransposed, scales, n, k), options),
    await InferenceSession.create(matMul(transposed, n, k), options),
  ];
  // Two ways to call it, output allocated by the library or given: which is faster differs from shape to shape.
  const runners = (session) => (x, m) => {
    const feeds = { x: new Tensor('float32', x, [m, k]) };
    const fetches = { y: new Tensor('float32', new Float32Array(m * n), [m, n]) };
    return [() => session.run(feeds), () => session.run(feeds, fetches)];
  };
  return {
    int8: runners(sessions[0]),
    float32: runners(sessions[1]),
    release: () => Promise.all(sessions.map((session) => session.release())),
  };
}

/**
 * Makes one large model, runs it and keeps it. In a process whose heap is small the C library gives freed memory back to
 * the system, and the peer then pays page faults in every call, up to half its time. It does not in a grown process.
 */
export async function warmUp() {
  if (!loaded) return;
  const [n, k, m] = [2048, 4096, 512];
  const weights = {
    n,
    k,
    transposed: new Float32Array(n * k),
    codesTransposed: new Int8Array(n * k),
    scales: new Float32Array(n),
  };
  const sessions = await peers(weights, 1);
  const x = new Float32Array(m * k);
  for (const run of [...sessions.int8(x, m), ...sessions.float32(x, m)]) await run();
}
