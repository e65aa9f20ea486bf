// One weight matrix in every form that the contestants need, all from the same int8 codes, and the check of results.

/** Deterministic normal numbers (Box-Muller over a 32-bit generator): the same matrices in every run. */
export function normal(count, seed, deviation = 1) {
  const values = new Float32Array(count);
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 4294967296;
  };
  for (let i = 0; i < count; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

function transpose(source, n, k) {
  const target = new source.constructor(source.length);
  for (let i = 0; i < n; i += 1) for (let j = 0; j < k; j += 1) target[j * n + i] = source[i * k + j];
  return target;
}

/**
 * Weights [N, K]: our Linears, and for the peers the same codes, scales and floats as [K, N]. Of `layers` equal matrices
 * each has memory of its own.
 */
export function makeWeights(qgemm, n, k, layers) {
  const w = normal(n * k, n * 31 + k, 1 / Math.sqrt(k));
  const quantized = qgemm.quantize(w, [n, k], { dtype: 'int8', granularity: 'per-channel', axis: 0, qmin: -127 });
  const copies = (make) => Array.from({ length: layers }, make);
  const packed = copies(() => qgemm.PackedWeights.from(quantized));
  const packedFloat = copies(() => qgemm.PackedWeights.fromFloat32(w, [n, k], { scheme: 'float32' }));
  return {
    n,
    k,
    layers,
    w,
    codes: quantized.data,
    scales: quantized.scales,
    int8: packed.map((weights) => new qgemm.Linear(weights)),
    float32: packedFloat.map((weights) => new qgemm.Linear(weights)),
    transposed: transpose(w, n, k),
    codesTransposed: transpose(quantized.data, n, k),
    dispose: () => [...packed, ...packedFloat].forEach((weights) => weights.dispose()),
  };
}

/** Root of the mean squared error over sampled outputs, relative to the outputs' own size, against float64. */
function relativeError({ n, k }, column, x, m, y) {
  let error = 0;
  let size = 0;
  for (let sample = 0; sample < 64; sample += 1) {
    const i = (sample * 7) % m;
    const j = (sample * 131 + 5) % n;
    let exact = 0;
    for (let l = 0; l < k; l += 1) exact += x[i * k + l] * column(j, l);
    error += (y[i * n + j] - exact) ** 2;
    size += exact ** 2;
  }
  return Math.sqrt(error / size);
}

// float32 sums of K products; 8 bits of activations on 8-bit weights, which are exact here. PyTorch takes one scale for
// the whole tensor, and 7 bits of it.
const LIMITS = { float32: 1e-5, int8: 0.02, torch: 0.05 };

/** Throws when sampled values of `y` are not the product that the contestant was asked for. */
export function checkResult(name, weights, x, m, y) {
  const { k, w, codes, scales } = weights;
  const isFloat = name.includes('float32');
  const column = isFloat ? (j, l) => w[j * k + l] : (j, l) => codes[j * k + l] * scales[j];
  const error = relativeError(weights, column, x, m, y);
  if (!(error <= LIMITS[isFloat ? 'float32' : name.startsWith('torch') ? 'torch' : 'int8'])) {
    throw new Error(`${name} is wrong for M=${m} K=${k} N=${weights.n}: relative error ${error.toExponential(2)}`);
  }
  return error;
}
