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

/** Sessions of the two models for one (K, N) and one number of threads, as functions x, m -> promise of y. */
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
  // onnxruntime-node allocates its output: handing it one was never faster.
  const runner = (session) => (x, m) => {
    const feeds = { x: new Tensor('float32', x, [m, k]) };
    return () => session.run(feeds);
  };
  return {
    int8: runner(sessions[0]),
    float32: runner(sessions[1]),
    release: () => Promise.all(sessions.map((session) => session.release())),
  };
}
