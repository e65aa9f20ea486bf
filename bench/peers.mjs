// onnxruntime-node, where "npm run bench:peers" has installed it into bench/node_modules.
import { createRequire } from 'node:module';
import { inTurn } from './measure.mjs';
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
export async function peers({ n, k, layers, transposed, codesTransposed, scales }, threads) {
  if (!loaded) return undefined;
  const { InferenceSession, Tensor } = loaded.ort;
  const options = {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  };
  const load = async (model) => {
    const sessions = [];
    for (let i = 0; i < layers; i += 1) sessions.push(await InferenceSession.create(model, options));
    return sessions;
  };
  const int8 = await load(dynamicQuantizeMatMul(codesTransposed, scales, n, k));
  const float32 = await load(matMul(transposed, n, k));
  // Two ways to call it, output allocated by the library or given: which is faster differs from shape to shape.
  const runners = (sessions) => (x, m) => {
    const feeds = { x: new Tensor('float32', x, [m, k]) };
    const fetches = { y: new Tensor('float32', new Float32Array(m * n), [m, n]) };
    return [
      inTurn(sessions.map((session) => () => session.run(feeds))),
      inTurn(sessions.map((session) => () => session.run(feeds, fetches))),
    ];
  };
  return {
    int8: runners(int8),
    float32: runners(float32),
    release: () => Promise.all([...int8, ...float32].map((session) => session.release())),
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
    layers: 1,
    transposed: new Float32Array(n * k),
    codesTransposed: new Int8Array(n * k),
    scales: new Float32Array(n),
  };
  const sessions = await peers(weights, 1);
  const x = new Float32Array(m * k);
  for (const run of [...sessions.int8(x, m), ...sessions.float32(x, m)]) await run();
}
