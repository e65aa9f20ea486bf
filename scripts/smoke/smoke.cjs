// What a user's first program does, from CommonJS, from an ES module and in a worker thread. Copied by
// scripts/check-package.mjs into a folder where the packed qgemm is installed.
const assert = require('node:assert');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const qgemm = require('qgemm');

function multiply() {
  const weights = qgemm.PackedWeights.fromFloat32(Float32Array.of(1, 2, 3, -4, 5, -6), [2, 3], { scheme: 'float32' });
  const linear = new qgemm.Linear(weights, { bias: Float32Array.of(0.5, 0) });
  return [...linear.forward(Float32Array.of(1, 1, 2))];
}

async function main() {
  assert.deepStrictEqual(multiply(), [9.5, -11]);
  const int8 = qgemm.PackedWeights.fromFloat32(Float32Array.of(1, -1), [1, 2], { scheme: 'int8' });
  const [y] = await new qgemm.Linear(int8).forwardAsync(Float32Array.of(3, 1));
  assert.ok(Math.abs(y - 2) < 0.05, `int8 gave ${y}`);
  assert.throws(() => qgemm.setNumThreads(0), { name: 'QgemmError', code: 'ERR_QGEMM_RANGE' });

  const esm = await import('./smoke.mjs');
  assert.strictEqual(esm.PackedWeights, qgemm.PackedWeights, 'ES modules and CommonJS see two classes');

  const worker = new Worker(__filename, { workerData: int8.handle });
  const [product, shared] = await new Promise((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  assert.deepStrictEqual(product, [9.5, -11]);
  assert.strictEqual(shared, y, 'shared weights gave another result in the worker');
  await worker.terminate();
  console.log(`${process.version} ${process.arch} ${qgemm.cpuInfo().isa}`);
}

if (isMainThread) {
  main();
} else {
  const attached = new qgemm.Linear(qgemm.PackedWeights.attach(workerData));
  parentPort.postMessage([multiply(), attached.forward(Float32Array.of(3, 1))[0]]);
}
