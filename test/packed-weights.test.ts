import { describe, expect, it } from 'vitest';
import { Linear, PackedWeights, type QuantizedTensor, type WeightsHandle } from '../lib/index.js';
import { runChild } from './support/child.js';
import { scaled } from './support/emulated.js';
import { randomFloats } from './support/random.js';
import { expectSameBits } from './support/same-bits.js';

const [n, k] = [6, 5];
const data = randomFloats(n * k, 1);
const make = (): PackedWeights => PackedWeights.fromFloat32(data, [n, k]);
const tensor = (changes: Partial<Record<keyof QuantizedTensor, unknown>> = {}): QuantizedTensor =>
  ({
    data: new Int8Array(n * k).fill(3),
    shape: [n, k],
    dtype: 'int8',
    scales: new Float32Array(n).fill(0.5),
    zeroPoints: new Int32Array(n),
    axis: 0,
    ...changes,
  }) as QuantizedTensor;

const thrown = (code: string): unknown => expect.objectContaining({ name: 'QgemmError', code: `ERR_QGEMM_${code}` });

describe('PackedWeights', () => {
  it('tells its sizes: padded to 32 columns, and to 64 in K for int8', () => {
    const w = make();
    expect([w.n, w.k, w.dtype]).toEqual([n, k, 'int8']);
    expect(w.byteLength).toBe(32 * 64 + 2 * 32 * 4);
    const asymmetric = PackedWeights.fromFloat32(data, [n, k], { symmetric: false });
    expect(asymmetric.byteLength).toBe(32 * 64 + 3 * 32 * 4);
    const float32 = PackedWeights.fromFloat32(data, [n, k], { scheme: 'float32' });
    expect([float32.dtype, float32.byteLength]).toEqual(['float32', 32 * k * 4]);
  });

  it('keeps codes exactly: from() multiplies by the very codes', () => {
    const codes = Int8Array.from({ length: n * k }, (_, i) => ((i * 37) % 256) - 128);
    const q = tensor({ data: codes, scales: new Float32Array(n).fill(1) });
    const linear = new Linear(PackedWeights.from(q));
    // A row of 255 at one place quantizes to code 255 with scale 1: the sums are the codes times 255.
    for (let p = 0; p < k; p++) {
      const x = new Float32Array(k);
      x[p] = 255;
      const expected = Float32Array.from({ length: n }, (_, j) => codes[j * k + p]! * 255);
      expectSameBits(linear.forward(x), expected);
    }
  });

  it('cannot be made by new', () => {
    const Constructor = PackedWeights as unknown as new (value?: unknown) => PackedWeights;
    expect(() => new Constructor()).toThrow(thrown('ARGUMENT'));
    expect(() => new Constructor({})).toThrow(thrown('ARGUMENT'));
  });

  it.each([
    ['no tensor', undefined, 'ARGUMENT'],
    ['null', null, 'ARGUMENT'],
    ['codes of the wrong class', tensor({ data: new Uint8Array(n * k) }), 'DTYPE'],
    ['codes that are no array', tensor({ data: [1, 2] }), 'ARGUMENT'],
    ['too few codes', tensor({ data: new Int8Array(n * k - 1) }), 'SHAPE'],
    ['one dimension', tensor({ shape: [n * k] }), 'SHAPE'],
    ['three dimensions', tensor({ shape: [1, n, k] }), 'SHAPE'],
    ['a negative dimension', tensor({ shape: [-n, -k] }), 'RANGE'],
    ['a dtype we do not have', tensor({ dtype: 'int4' }), 'DTYPE'],
    ['too few scales', tensor({ scales: new Float32Array(1) }), 'SHAPE'],
    ['too many zero points', tensor({ zeroPoints: new Int32Array(n + 1) }), 'SHAPE'],
    [
      'scales along columns',
      tensor({ axis: 1, scales: new Float32Array(k).fill(1), zeroPoints: new Int32Array(k) }),
      'ARGUMENT',
    ],
    ['an axis it has not', tensor({ axis: 2 }), 'RANGE'],
    ['a scale of zero', tensor({ scales: new Float32Array(n) }), 'RANGE'],
    ['a NaN scale', tensor({ scales: new Float32Array(n).fill(NaN) }), 'RANGE'],
    ['a zero point outside int8', tensor({ zeroPoints: new Int32Array(n).fill(128) }), 'RANGE'],
  ])('from() refuses %s', (_, q, code) => {
    expect(() => PackedWeights.from(q as QuantizedTensor)).toThrow(thrown(code));
  });

  it.each([
    ['no data', [undefined, [n, k]], 'ARGUMENT'],
    ['data of the wrong class', [new Float64Array(n * k), [n, k]], 'DTYPE'],
    ['too little data', [data.subarray(1), [n, k]], 'SHAPE'],
    ['no shape', [data], 'ARGUMENT'],
    ['a shape of three', [data, [n, k, 1]], 'SHAPE'],
    ['a fractional dimension', [data, [n + 0.5, k]], 'RANGE'],
    ['a negative dimension', [data, [-n, k]], 'RANGE'],
    ['a NaN dimension', [data, [NaN, k]], 'RANGE'],
    ['a text dimension', [data, ['6', k]], 'ARGUMENT'],
    ['a product beyond 2^53', [data, [2 ** 40, 2 ** 40]], 'LIMIT'],
    ['an unknown scheme', [data, [n, k], { scheme: 'int3' }], 'ARGUMENT'],
    ['an unknown granularity', [data, [n, k], { granularity: 'per-word' }], 'ARGUMENT'],
    ['an unknown range', [data, [n, k], { activations: 'static' }], 'ARGUMENT'],
    ['symmetric that is no boolean', [data, [n, k], { symmetric: 1 }], 'ARGUMENT'],
    ['an unknown nonFinite', [data, [n, k], { nonFinite: 'ignore' }], 'ARGUMENT'],
    ['an unknown option', [data, [n, k], { shceme: 'int8' }], 'ARGUMENT'],
    ['options that are no object', [data, [n, k], 'int8'], 'ARGUMENT'],
    ['K beyond what int32 sums hold', [new Float32Array(65_794), [1, 65_794]], 'LIMIT'],
    ['K beyond it with zero points', [new Float32Array(33_026), [1, 33_026], { symmetric: false }], 'LIMIT'],
    ["NaN under nonFinite: 'error'", [Float32Array.of(NaN), [1, 1], { nonFinite: 'error' }], 'RANGE'],
  ])('fromFloat32() refuses %s', (_, args, code) => {
    const pack = PackedWeights.fromFloat32 as (...values: unknown[]) => PackedWeights;
    expect(() => pack(...args)).toThrow(thrown(code));
  });

  it('takes K at the limit, and any K in float32', () => {
    const ones = new Float32Array(65_793).fill(1);
    const y = new Linear(PackedWeights.fromFloat32(ones, [1, 65_793])).forward(ones);
    expect(Math.abs(y[0]! / 65_793 - 1)).toBeLessThan(1e-6);
    expect(PackedWeights.fromFloat32(new Float32Array(70_000), [1, 70_000], { scheme: 'float32' }).k).toBe(70_000);
  });

  it.each([
    [2 ** 50, 0],
    [0, 2 ** 50],
  ])('takes float32 weights without elements at once: %i x %i', (rows, columns) => {
    const empty = PackedWeights.fromFloat32(new Float32Array(0), [rows, columns], { scheme: 'float32' });
    expect([empty.n, empty.k, empty.byteLength]).toEqual([rows, columns, 0]);
    expect(new Linear(empty).forward(new Float32Array(0))).toHaveLength(0);
  });

  it('refuses detached data', () => {
    const gone = new Float32Array(n * k);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    expect(() => PackedWeights.fromFloat32(gone, [n, k])).toThrow(thrown('DETACHED'));
    const codes = new Int8Array(n * k);
    structuredClone(codes.buffer, { transfer: [codes.buffer] });
    expect(() => PackedWeights.from(tensor({ data: codes }))).toThrow(thrown('DETACHED'));
  });
});

describe('PackedWeights.handle and attach', () => {
  it('is plain, frozen, cloneable data, the same each time', () => {
    const w = make();
    expect(Object.isFrozen(w.handle)).toBe(true);
    expect(w.handle).toBe(w.handle);
    expect(w.handle).toEqual({ qgemm: 'weights', token: expect.stringMatching(/^[0-9a-f]{32}$/) as string });
    expect(make().handle.token).not.toBe(w.handle.token);
    const twin = PackedWeights.attach(structuredClone(w.handle));
    expect([twin.n, twin.k, twin.dtype, twin.byteLength]).toEqual([w.n, w.k, w.dtype, w.byteLength]);
    const x = randomFloats(k, 2);
    expectSameBits(new Linear(twin).forward(x), new Linear(w).forward(x));
  });

  it('works as long as somebody holds the weights', () => {
    const w = make();
    const { handle } = w;
    const twin = PackedWeights.attach(handle);
    w.dispose();
    const third = PackedWeights.attach(handle);
    twin.dispose();
    const linear = new Linear(third);
    third.dispose();
    expect(PackedWeights.attach(handle).n).toBe(n);
    linear.dispose();
  });

  it.each([
    undefined,
    null,
    5,
    'token',
    {},
    { qgemm: 'weights' },
    { qgemm: 'weights', token: 'f00' },
    { token: 'a'.repeat(32) },
  ])('refuses %j as a handle', (handle) => {
    expect(() => PackedWeights.attach(handle as WeightsHandle)).toThrow(thrown('ARGUMENT'));
  });

  it('an unknown token gives DISPOSED', () => {
    expect(() => PackedWeights.attach({ qgemm: 'weights', token: '0'.repeat(32) })).toThrow(thrown('DISPOSED'));
  });
});

describe('native memory', () => {
  // 4 MiB are packed again and again, in all more than the test allows at a time, and V8 sees only handles of some bytes:
  // without being told it would collect none of them.
  const pack = `const data = new Float32Array(1024 * 1024);
    const pack = () => qgemm.PackedWeights.fromFloat32(data, [1024, 1024], { scheme: 'float32' });
    const mib = () => process.memoryUsage.rss() / 2 ** 20;
    const before = mib();
    let peak = 0;
    const note = () => { peak = Math.max(peak, mib() - before); };`;

  it('is collected in time when nobody disposes of it', async () => {
    const child = await runChild(
      `${pack} (async () => {
        for (let i = 0; i < ${scaled(200, 140)}; i++) { new qgemm.Linear(pack()); note(); await new Promise(setImmediate); }
        console.log(peak < 500 ? 'bounded' : peak);
      })();`,
    );
    expect(child).toEqual({ code: 0, signal: null, stdout: 'bounded\n', stderr: '' });
  });

  it('is freed at once by dispose, once nobody else holds it', async () => {
    const child = await runChild(
      `${pack} for (let i = 0; i < ${scaled(200, 40)}; i++) {
        const w = pack(); const linear = new qgemm.Linear(w); w.dispose(); linear.dispose(); note();
      }
      console.log(peak < 50 ? 'bounded' : peak);`,
    );
    expect(child).toEqual({ code: 0, signal: null, stdout: 'bounded\n', stderr: '' });
  });
});
