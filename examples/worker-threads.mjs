// @ts-check
// One copy of the weights for all worker threads: node examples/worker-threads.mjs
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Linear, PackedWeights } from 'qgemm';

const K = 512;
const N = 1024;

/** The input of worker `index`: four rows. @param {number} index */
const inputOf = (index) => Float32Array.from({ length: 4 * K }, (_, i) => Math.cos(i + index));

if (isMainThread) {
  const values = Float32Array.from({ length: N * K }, (_, i) => Math.sin(i * 78.233));
  const weights = PackedWeights.fromFloat32(values, [N, K], { scheme: 'int8' });
  const layer = new Linear(weights);

  // The handle is a token, a few bytes long. It opens the weights in any thread of this process for as long as somebody
  // holds them; the bytes themselves are never copied.
  const results = await Promise.all([0, 1].map((index) => runWorker({ handle: weights.handle, index })));
  results.forEach((result, index) => {
    const same = Buffer.from(result.buffer).equals(Buffer.from(layer.forward(inputOf(index)).buffer));
    console.log(
      `worker ${index}: ${result.length} values, ${same ? 'the same bytes as' : 'different from'} the main thread`,
    );
    if (!same) process.exitCode = 1;
  });
} else {
  const { handle, index } = workerData;
  const layer = new Linear(PackedWeights.attach(handle), { activation: 'none' });
  parentPort?.postMessage(layer.forward(inputOf(index)));
}

/**
 * @param {{ handle: import('qgemm').PackedWeights['handle'], index: number }} data
 * @returns {Promise<Float32Array<ArrayBuffer>>}
 */
function runWorker(data) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: data });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
