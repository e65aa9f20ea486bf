import { describe, expect, it } from 'vitest';
import { Linear, PackedWeights, cpuInfo, setNumThreads, type QuantizedTensor } from '../lib/index.js';
import { linearFloat32, linearInt8 } from './reference/linear.js';
import { randomFloats, randomIntegers } from './support/random.js';
import { expectSameBits } from './support/same-bits.js';
import { scaled } from './support/emulated.js';

interface WeightKind {
  dtype: 'int8' | 'uint8';
  axis: 0 | null;
  asymmetric: boolean;
}

const kinds: WeightKind[] = [
  { dtype: 'int8', axis: 0, asymmetric: false },
  { dtype: 'int8', axis: null, asymmetric: false },
  { dtype: 'int8', axis: 0, asymmetric: true },
  { dtype: 'uint8', axis: 0, asymmetric: true },
  { dtype: 'uint8', axis: null, asymmetric: true },
];

function makeWeights(n: number, k: number, kind: WeightKind, seed: number): QuantizedTensor {
  const signed = kind.dtype === 'int8';
  const [low, high] = signed ? [-128, 127] : [0, 255];
  const codes = randomIntegers(n * k, low, high, seed);
  const count = kind.axis === 0 ? n : 1;
  const scales = Float32Array.from(randomFloats(count, seed + 1), (v) => (v + 1.5) / 200);
  const zeros = kind.asymmetric ? randomIntegers(count, low, high, seed + 2) : Array<number>(count).fill(0);
  return {
    data: signed ? Int8Array.from(codes) : Uint8Array.from(codes),
    shape: [n, k],
    dtype: kind.dtype,
    scales,
    zeroPoints: Int32Array.from(zeros),
    axis: kind.axis,
  };
}

/** The oracle's view: one scale and zero point per row. */
function perRow(q: QuantizedTensor) {
  const [n, k] = q.shape as [number, number];
  const spread = (values: ArrayLike<number>) => Array.from({ length: n }, (_, j) => values[q.axis === 0 ? j : 0]!);
  return { n, k, codes: q.data, scales: spread(q.scales), zeroPoints: spread(q.zeroPoints) };
}

const shapes: [m: number, n: number, k: number][] = [
  [1, 1, 1],
  [1, 8, 8],
  [2, 31, 3],
  [3, 32, 4],
  [4, 33, 5],
  [5, 63, 63],
  [7, 65, 64],
  [8, 100, 65],
  [9, 129, 130],
  [17, 40, 200],
];

describe('Linear.forward, int8 weights', () => {
  for (const kind of kinds) {
    const name = `${kind.dtype}, ${kind.axis === 0 ? 'per row' : 'one scale'}, ${kind.asymmetric ? 'a' : ''}symmetric`;
    it(`equals the formula bit for bit: ${name}`, () => {
      for (const [m, n, k] of shapes) {
        for (const symmetricActivations of [false, true]) {
          const q = makeWeights(n, k, kind, m * n + k);
          const x = randomFloats(m * k, 7 * n + k);
          const bias = randomFloats(n, k);
          const w = PackedWeights.from(q, { activations: symmetricActivations ? 'symmetric' : 'asymmetric' });
          const y = new Linear(w, { bias }).forward(x);
          const expected = linearInt8(x, perRow(q), { bias, symmetricActivations });
          expectSameBits(y, expected, `M = ${m}, N = ${n}, K = ${k}`);
        }
      }
    });
  }

  for (const activation of ['none', 'relu', 'gelu', 'gelu-tanh', 'silu'] as const) {
    it(`applies ${activation} with the bits of its formula`, () => {
      const q = makeWeights(70, 40, kinds[0]!, 3);
      const x = randomFloats(6 * 40, 5);
      const y = new Linear(PackedWeights.from(q), { activation }).forward(x);
      expectSameBits(y, linearInt8(x, perRow(q), { activation }));
    });
  }

  it('quantizes float32 weights as documented: round half to even of w / (amax / 127)', () => {
    const data = Float32Array.of(1.27, 0.005, -0.015, -1.27, 0, 0, 0, 0);
    const w = PackedWeights.fromFloat32(data, [2, 4]);
    const identity = new Float32Array(16);
    for (let i = 0; i < 4; i++) identity[5 * i] = 1;
    const y = new Linear(w).forward(identity);
    const rows = Array.from({ length: 4 }, (_, i) => Math.round(y[2 * i]! * 100));
    expect(rows).toEqual([127, 0, -2, -127].map((code) => Math.round(code)));
    expect(Array.from({ length: 4 }, (_, i) => y[2 * i + 1])).toEqual([0, 0, 0, 0]);
  });
});

describe('Linear.forward, float32 weights', () => {
  const fused = cpuInfo().features.some((feature) => feature !== 'scalar');
  const title = fused ? 'equals one fma per k in ascending order, bit for bit' : 'is close (no FMA in the ISA in use)';
  it(title, () => {
    for (const [m, n, k] of shapes) {
      const data = randomFloats(n * k, n);
      const x = randomFloats(m * k, k);
      const bias = randomFloats(n, m);
      const w = PackedWeights.fromFloat32(data, [n, k], { scheme: 'float32' });
      const y = new Linear(w, { bias, activation: 'relu' }).forward(x);
      const expected = linearFloat32(x, data, n, k, { bias, activation: 'relu' });
      if (fused) expectSameBits(y, expected, `M = ${m}, N = ${n}, K = ${k}`);
      else y.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-6 * k + 1e-6));
    }
  });
});

describe.each(['int8', 'float32'] as const)('Linear.forward, the same bits in any surroundings: %s', (scheme) => {
  const [m, n, k] = [37, 300, 260];
  const x = randomFloats(m * k, 11);
  const w = PackedWeights.fromFloat32(randomFloats(n * k, 12), [n, k], { scheme });
  const linear = new Linear(w, { bias: randomFloats(n, 13), activation: 'gelu' });
  const batch = linear.forward(x);

  it('a row alone is the row in a batch', () => {
    for (let i = 0; i < m; i++) {
      const row = linear.forward(x.subarray(i * k, (i + 1) * k));
      expectSameBits(row, batch.subarray(i * n, (i + 1) * n));
    }
  });

  it('batches of every size from 1 to M agree', () => {
    for (let rows = 1; rows < m; rows++) {
      expectSameBits(linear.forward(x.subarray(0, rows * k)), batch.subarray(0, rows * n));
    }
  });

  it('1, 2, 3 and 5 threads agree', () => {
    const threads = cpuInfo().numThreads;
    try {
      for (const count of [1, 2, 3, 5]) {
        setNumThreads(count);
        for (let round = 0; round < scaled(20, 2); round++) expectSameBits(linear.forward(x), batch);
      }
    } finally {
      setNumThreads(threads);
    }
  });
});
