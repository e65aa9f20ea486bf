// @ts-check
// One layer in int8, from float32 weights to results: node examples/linear.mjs
import { cpuInfo, Linear, PackedWeights, quantize } from 'qgemm';

const rows = 4; // M
const inputs = 384; // K
const outputs = 1536; // N

// Weights [N, K] as a framework stores them, a bias [N], and a batch of inputs [M, K].
const weights = wave(outputs * inputs, 0.05);
const bias = wave(outputs, 0.1);
const x = wave(rows * inputs, 1);

// Every output channel gets a scale of its own. The quantized tensor is plain data: codes, scales, zero points.
const quantized = quantize(weights, [outputs, inputs], { dtype: 'int8', granularity: 'per-channel', axis: 0 });

// Packing puts the codes in the order that the kernels read them in. It is done once; a model file holds packed weights.
const packed = PackedWeights.from(quantized);
console.log(
  `${packed.n} x ${packed.k} ${packed.dtype} weights, ${packed.byteLength} bytes packed, on ${cpuInfo().isa}`,
);

// y = relu(x . W^T + bias). Inputs are quantized row by row inside the call.
const layer = new Linear(packed, { bias, activation: 'relu' });
const y = layer.forward(x);
console.log(`largest difference from float32: ${maxDifference(y, reference(x)).toExponential(2)}`);

// The same off the event loop, into a buffer that is used again.
const out = new Float32Array(rows * outputs);
await layer.forwardAsync(x, { out });
console.log(`async result has the same bytes: ${Buffer.from(out.buffer).equals(Buffer.from(y.buffer))}`);

// Native memory is freed by the garbage collector in the end, or here and now.
layer.dispose();
packed.dispose();

/** Values in (-amplitude, amplitude) that look random and are the same on every run. @param {number} length @param {number} amplitude */
function wave(length, amplitude) {
  return Float32Array.from({ length }, (_, i) => amplitude * Math.sin(i * 12.9898 + (i % 7)));
}

/** The layer in plain float arithmetic. @param {Float32Array} input */
function reference(input) {
  return Float32Array.from({ length: rows * outputs }, (_, index) => {
    const [row, column] = [Math.floor(index / outputs), index % outputs];
    let sum = bias[column] ?? 0;
    for (let k = 0; k < inputs; k++) sum += (input[row * inputs + k] ?? 0) * (weights[column * inputs + k] ?? 0);
    return Math.max(sum, 0);
  });
}

/** @param {Float32Array} a @param {Float32Array} b */
function maxDifference(a, b) {
  return a.reduce((max, value, i) => Math.max(max, Math.abs(value - (b[i] ?? NaN))), 0);
}
