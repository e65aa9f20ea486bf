import { describe, expect, it } from 'vitest';
import { cpuInfo, Linear, PackedWeights, setNumThreads, type CodeParameters } from '../lib/index.js';
import { linearFloat32, linearInt8, toCode } from './reference/linear.js';
import { knownLayer, knownWeights } from './support/layers.js';
import { randomFloats } from './support/random.js';
import { expectSameBits } from './support/same-bits.js';

const [n, k] = [45, 70];
const parameters = [
  { scale: 0.05, zeroPoint: 20, dtype: 'uint8' },
  { scale: 0.001, zeroPoint: -5, dtype: 'int8' }, // saturates
  { scale: 2, zeroPoint: 127, dtype: 'int8' },
] as const;

describe('Linear with results as codes', () => {
  it.each(parameters)('equals the oracle: scale $scale, zero point $zeroPoint, $dtype', async (output) => {
    const w = knownWeights(n, k, 1, output.zeroPoint < 0);
    const options = { bias: randomFloats(n, 2), activation: 'gelu-tanh' } as const;
    const layer = knownLayer<'int8' | 'uint8'>(w, { ...options, output });
    for (const m of [1, 3, 16, 50]) {
      const x = randomFloats(m * k, m);
      const residual = randomFloats(m * n, m + 1);
      const rounded = { ...output, scale: Math.fround(output.scale) };
      const plain = Array.from(linearInt8(x, w.reference, { ...options, output: rounded }));
      const added = Array.from(linearInt8(x, w.reference, { ...options, residual, output: rounded }));
      const y = layer.forward(x);
      expect(y).toBeInstanceOf(output.dtype === 'int8' ? Int8Array : Uint8Array);
      expect(Array.from(y)).toEqual(plain);
      expect(Array.from(layer.forward(x, undefined, { residual }))).toEqual(added);
      expect(Array.from(await layer.forwardAsync(x, { residual }))).toEqual(added);
    }
  });

  it('writes into out of its class, and has that type', async () => {
    const layer = knownLayer(knownWeights(n, k, 3), { output: parameters[0] });
    const x = randomFloats(2 * k, 4);
    const expected: Uint8Array = layer.forward(x);
    const memory = new Uint8Array(2 * n + 2).fill(99);
    const out = memory.subarray(1, 1 + 2 * n);
    expect(layer.forward(x, out)).toBe(out);
    expect(out).toEqual(expected);
    out.fill(0);
    expect(await layer.forwardAsync(x, { out })).toBe(out);
    expect(out).toEqual(expected);
    expect([memory[0], memory.at(-1)]).toEqual([99, 99]);
  });

  it('feeds the next layer without a detour over float32', () => {
    const output = { scale: 0.04, zeroPoint: 100, dtype: 'uint8' } as const;
    const first = knownLayer(knownWeights(n, k, 5), { activation: 'relu', output });
    const w = knownWeights(8, n, 6);
    const x = randomFloats(3 * k, 7);
    const data = first.forward(x);
    const q = {
      data,
      shape: [3, n],
      dtype: output.dtype,
      scales: Float32Array.of(output.scale),
      zeroPoints: Int32Array.of(100),
    };
    const y = knownLayer(w).forward(q);
    const unrequantized = new Linear(knownWeights(n, k, 5).packed, { activation: 'relu' }).forward(x);
    expectSameBits(y, knownLayer(w, { input: output }).forward(unrequantized));
  });

  it('quantizes results of float32 weights, NaN to the zero point and infinities to the ends', () => {
    const output = { scale: 0.5, zeroPoint: 7, dtype: 'int8' } as const;
    const identity = PackedWeights.fromFloat32(Float32Array.of(1, 0, 0, 1), [2, 2], { scheme: 'float32' });
    const layer = new Linear(identity, { output });
    expect(Array.from(layer.forward(Float32Array.of(NaN, 0, 1.25, -1.75)))).toEqual([7, 7, 9, 3]);
    const single = new Linear(PackedWeights.fromFloat32(Float32Array.of(1), [1, 1], { scheme: 'float32' }), { output });
    expect(Array.from(single.forward(Float32Array.of(Infinity, -Infinity, NaN, 3e38)))).toEqual([127, -128, 7, 127]);
    const w = randomFloats(n * k, 8);
    const x = randomFloats(4 * k, 9);
    const wide = new Linear(PackedWeights.fromFloat32(w, [n, k], { scheme: 'float32' }), { output });
    if (cpuInfo().isa === 'scalar') return;
    expect(Array.from(wide.forward(x))).toEqual(
      Array.from(linearFloat32(x, w, n, k), (value) => toCode(value, output)),
    );
  });

  it('is the same bytes for a row alone and on any number of threads', () => {
    const layer = knownLayer(knownWeights(300, 260, 10), { output: parameters[1] });
    const x = randomFloats(37 * 260, 11);
    const batch = layer.forward(x);
    for (let i = 0; i < 37; i++) {
      expect(layer.forward(x.subarray(i * 260, (i + 1) * 260))).toEqual(batch.subarray(i * 300, (i + 1) * 300));
    }
    const threads = cpuInfo().numThreads;
    try {
      for (const count of [1, 3, 5]) {
        setNumThreads(count);
        expect(layer.forward(x)).toEqual(batch);
      }
    } finally {
      setNumThreads(threads);
    }
  });

  it.each<[unknown, string]>([
    [{ scale: -1, zeroPoint: 0, dtype: 'int8' }, 'RANGE'],
    [{ scale: 1, zeroPoint: 0.5, dtype: 'int8' }, 'RANGE'],
    [{ scale: 1, zeroPoint: 0, dtype: 'float32' }, 'DTYPE'],
    [{ scale: 1, zeroPoint: 0, dtype: 'int8', axis: 0 }, 'ARGUMENT'],
    ['int8', 'ARGUMENT'],
  ])('refuses %o', (output, code) => {
    expect(() => knownLayer(knownWeights(2, 3, 1), { output: output as CodeParameters })).toThrow(
      expect.objectContaining({ code: `ERR_QGEMM_${code}` }),
    );
  });

  it('refuses a float32 out, and codes as out of an ordinary layer', () => {
    const w = knownWeights(n, k, 3);
    const x = randomFloats(k, 1);
    const dtype = expect.objectContaining({ code: 'ERR_QGEMM_DTYPE' }) as Error;
    const codes = knownLayer(w, { output: parameters[1] }) as unknown as Linear;
    expect(() => codes.forward(x, new Float32Array(n))).toThrow(dtype);
    expect(() => knownLayer(w).forward(x, new Int8Array(n) as unknown as Float32Array)).toThrow(dtype);
  });
});
