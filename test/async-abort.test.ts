import { getEventListeners } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { cpuInfo, Linear, PackedWeights } from '../lib/index.js';
import { randomFloats } from './support/random.js';
import { expectSameBits } from './support/same-bits.js';

const [n, k] = [1024, 1024];
const linear = new Linear(PackedWeights.fromFloat32(randomFloats(n * k, 1), [n, k]));
const x = randomFloats(128 * k, 2);
const tiny = new Linear(PackedWeights.fromFloat32(randomFloats(64, 4), [8, 8]));
const tinyX = randomFloats(8, 5);
const both = [
  ['on the pool', linear, x],
  ['small enough to run at once', tiny, tinyX],
] as const;

describe.each(both)('AbortSignal, an operation %s', (_, layer, input) => {
  it('rejects at once with the reason of a signal that is aborted already', async () => {
    const reason = new Error('too late');
    const out = layer.forward(input).fill(42);
    await expect(layer.forwardAsync(input, { out, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(out.every((value) => value === 42)).toBe(true);
  });

  it('rejects with the reason when aborted while outstanding, and never writes out', async () => {
    const controller = new AbortController();
    const reason = { any: 'value' };
    const out = layer.forward(input).fill(42);
    const promise = layer.forwardAsync(input, { out, signal: controller.signal });
    controller.abort(reason);
    await expect(promise).rejects.toBe(reason);
    await layer.forwardAsync(input);
    expect(out.every((value) => value === 42)).toBe(true);
  });

  it('rejects with an AbortError when abort() gets no reason', async () => {
    const controller = new AbortController();
    const promise = layer.forwardAsync(input, { signal: controller.signal });
    controller.abort();
    await expect(promise).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('takes its listener off the signal when done, aborted or refused', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const listeners = (): number => getEventListeners(signal, 'abort').length;
    await layer.forwardAsync(input, { signal });
    expect(listeners()).toBe(0);
    await expect(layer.forwardAsync(new Float32Array(3), { signal })).rejects.toThrow('multiple of K');
    expect(listeners()).toBe(0);
    const promise = layer.forwardAsync(input, { signal });
    expect(listeners()).toBe(1);
    controller.abort();
    await expect(promise).rejects.toBe(signal.reason);
    expect(listeners()).toBe(0);
  });

  it('an abort after the end changes nothing', async () => {
    const controller = new AbortController();
    const y = await layer.forwardAsync(input, { signal: controller.signal });
    controller.abort();
    expectSameBits(y, layer.forward(input));
  });
});

describe('AbortSignal, many operations', () => {
  it('cancels queued operations without running them, and leaves others alone', async () => {
    const expected = linear.forward(x);
    const controller = new AbortController();
    const kept: Promise<Float32Array>[] = [];
    const cancelled: Promise<Float32Array>[] = [];
    for (let i = 0; i < 40; i++) {
      if (i % 4 === 0) kept.push(linear.forwardAsync(x));
      else cancelled.push(linear.forwardAsync(x, { signal: controller.signal }));
    }
    controller.abort('enough');
    for (const result of await Promise.allSettled(cancelled)) {
      expect(result).toEqual({ status: 'rejected', reason: 'enough' });
    }
    for (const y of await Promise.all(kept)) expectSameBits(y, expected);
  });

  it('cancelled operations give their places in the queue back', async () => {
    const small = x.subarray(0, 2 * k);
    for (let round = 0; round < 3; round++) {
      const controller = new AbortController();
      const promises = Array.from({ length: 1024 }, () => linear.forwardAsync(small, { signal: controller.signal }));
      controller.abort('stop');
      const results = await Promise.allSettled(promises);
      const reasons = results.map((result) => (result.status === 'rejected' ? (result.reason as unknown) : undefined));
      const stopped = reasons.filter((reason) => reason === 'stop').length;
      const refused = reasons.filter(
        (reason) => (reason as { code?: string } | undefined)?.code === 'ERR_QGEMM_QUEUE_FULL',
      ).length;
      expect(stopped + refused).toBe(1024);
      // Those of the round before that had begun end at their next look at the flag: one per thread may be left.
      expect(refused).toBeLessThanOrEqual(cpuInfo().numThreads);
      let y: Float32Array | undefined;
      for (let attempt = 0; y === undefined && attempt < 1000; attempt++) {
        y = await linear.forwardAsync(x).catch(() => undefined);
        if (y === undefined) await setTimeout(5);
      }
      expectSameBits(y!, linear.forward(x));
    }
  });
});
