import { beforeAll, describe, expect, it } from 'vitest';
import { Linear, PackedWeights } from '../lib/index.js';
import { randomFloats } from './support/random.js';
import { expectSameBits } from './support/same-bits.js';

// Large enough that the work goes to the pool; `tiny` is small enough to run at once.
const [m, n, k] = [64, 512, 768];
const w = PackedWeights.fromFloat32(randomFloats(n * k, 1), [n, k]);
const linear = new Linear(w, { bias: randomFloats(n, 2), activation: 'gelu' });
const x = randomFloats(m * k, 3);
const tiny = new Linear(PackedWeights.fromFloat32(randomFloats(64, 4), [8, 8]));
const tinyX = randomFloats(8, 5);
let expected: Float32Array;
let tinyExpected: Float32Array;

beforeAll(() => {
  expected = linear.forward(x);
  tinyExpected = tiny.forward(tinyX);
});

describe('Linear.forwardAsync', () => {
  it('resolves to what forward returns', async () => {
    expectSameBits(await linear.forwardAsync(x), expected);
    expectSameBits(await tiny.forwardAsync(tinyX), tinyExpected);
    const f = new Linear(PackedWeights.fromFloat32(randomFloats(n * k, 6), [n, k], { scheme: 'float32' }));
    expectSameBits(await f.forwardAsync(x), f.forward(x));
  });

  it('resolves to out where given, written when the promise resolves', async () => {
    for (const [layer, input, wanted] of [
      [linear, x, expected],
      [tiny, tinyX, tinyExpected],
    ] as const) {
      const out = new Float32Array(wanted.length).fill(42);
      const promise = layer.forwardAsync(input, { out });
      expect(out.every((value) => value === 42)).toBe(true);
      expect(await promise).toBe(out);
      expectSameBits(out, wanted);
    }
  });

  it('runs many at once, in any mixture of sizes, each with its own result', async () => {
    const calls = Array.from({ length: 60 }, (_, i) => {
      const rows = (i * 7) % m;
      return { rows, promise: linear.forwardAsync(x.subarray(0, rows * k)), small: tiny.forwardAsync(tinyX) };
    });
    for (const { rows, promise, small } of calls) {
      expectSameBits(await promise, expected.subarray(0, rows * n));
      expectSameBits(await small, tinyExpected);
    }
  });

  it('computes the same while forward runs on this thread', async () => {
    const promises = Array.from({ length: 20 }, () => linear.forwardAsync(x));
    for (let i = 0; i < 20; i++) expectSameBits(linear.forward(x), expected);
    for (const y of await Promise.all(promises)) expectSameBits(y, expected);
  });

  it('rejects, and does not throw, with the codes of forward', async () => {
    const cases: [unknown, unknown, string][] = [
      ['x', undefined, 'ERR_QGEMM_ARGUMENT'],
      [new Float64Array(k), undefined, 'ERR_QGEMM_DTYPE'],
      [new Float32Array(k + 1), undefined, 'ERR_QGEMM_SHAPE'],
      [x, { out: new Float32Array(3) }, 'ERR_QGEMM_SHAPE'],
      [x, { out: [] }, 'ERR_QGEMM_ARGUMENT'],
      [x, { signal: {} }, 'ERR_QGEMM_ARGUMENT'],
      [x, { typo: 1 }, 'ERR_QGEMM_ARGUMENT'],
      [x, 7, 'ERR_QGEMM_ARGUMENT'],
    ];
    for (const [input, options, code] of cases) {
      const promise = linear.forwardAsync(input as Float32Array, options as object);
      await expect(promise).rejects.toMatchObject({ name: 'QgemmError', code });
    }
    const stranger = Linear.prototype.forwardAsync.call({} as Linear, x);
    await expect(stranger).rejects.toMatchObject({ code: 'ERR_QGEMM_ARGUMENT' });
  });

  it('settles from the event loop: a loop of awaits starves no timer', async () => {
    for (const [layer, input] of [
      [tiny, tinyX],
      [linear, x],
    ] as const) {
      let fired = false;
      setTimeout(() => (fired = true), 1);
      const deadline = Date.now() + 10_000;
      while (!fired && Date.now() < deadline) await layer.forwardAsync(input);
      expect(fired).toBe(true);
    }
  });

  it('does not settle before the call has returned and other work of this turn is done', async () => {
    const order: string[] = [];
    const promise = tiny.forwardAsync(tinyX).then(() => order.push('forward'));
    await Promise.resolve().then(() => order.push('microtask'));
    process.nextTick(() => order.push('tick'));
    await promise;
    expect(order).toEqual(['microtask', 'tick', 'forward']);
  });

  it('rejects with QUEUE_FULL at 1025 outstanding operations, and recovers', async () => {
    const promises = Array.from({ length: 1024 }, () => linear.forwardAsync(x.subarray(0, k * 4)));
    await expect(linear.forwardAsync(x)).rejects.toMatchObject({ code: 'ERR_QGEMM_QUEUE_FULL' });
    await expect(tiny.forwardAsync(tinyX)).rejects.toMatchObject({ code: 'ERR_QGEMM_QUEUE_FULL' });
    await Promise.all(promises);
    expectSameBits(await linear.forwardAsync(x), expected);
  });
});
