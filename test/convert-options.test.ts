import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { matchesGlob } from '../lib/convert/glob.js';
import { convert, loadModel, QgemmError, type ConvertOptions, type ConvertProgress } from '../lib/index.js';
import { runs } from './support/runs.js';
import { f32, temporaryFolder, writeSafetensors, type TestTensor } from './support/safetensors.js';
import { writeSparse } from './support/sparse.js';

const model: Record<string, TestTensor> = {
  'layer.0.q.weight': f32([4, 8]),
  'layer.0.q.bias': f32([4]),
  'layer.1.q.weight': f32([4, 8]),
  'embed.weight': f32([9, 4]),
  table: f32([2, 2]),
  ids: { dtype: 'I32', shape: [2, 2], data: new Int32Array(4) },
};

async function packed(options: ConvertOptions, tensors = model): Promise<string[]> {
  const folder = temporaryFolder();
  const input = writeSafetensors(join(folder, 'in.safetensors'), tensors);
  try {
    const report = await convert(input, join(folder, 'out'), options);
    return report.tensors.filter(({ action }) => action === 'packed').map(({ name }) => name);
  } catch (error) {
    expect(readdirSync(folder)).toEqual(['in.safetensors']);
    throw error;
  }
}

const error = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('include and exclude', () => {
  it('without globs the rule of the format decides', async () => {
    expect(await packed({})).toEqual(['layer.0.q.weight', 'layer.1.q.weight']);
  });

  it('exclude keeps what it matches', async () => {
    expect(await packed({ exclude: ['layer.0.*'] })).toEqual(['layer.1.q.weight']);
  });

  it('include replaces the rule, and takes any float matrix', async () => {
    expect(await packed({ include: ['embed.weight', 'tab?e'] })).toEqual(['embed.weight', 'table']);
  });

  it('exclude is stronger than include; what include matches besides matrices stays', async () => {
    expect(await packed({ include: ['*'], exclude: ['*embed*', 'table'] })).toEqual([
      'layer.0.q.weight',
      'layer.1.q.weight',
    ]);
  });

  it('an excluded bias stays a tensor of its own', async () => {
    const folder = temporaryFolder();
    const input = writeSafetensors(join(folder, 'in.safetensors'), model);
    const report = await convert(input, join(folder, 'out'), { exclude: ['*.bias'] });
    expect(report.tensors.find(({ name }) => name === 'layer.0.q.bias')?.action).toBe('kept');
    expect(loadModel(join(folder, 'out')).linear('layer.0.q').forward(new Float32Array(8))).toEqual(
      new Float32Array(4),
    );
  });

  it.each([
    [{ include: ['nothing*'] }, /glob "nothing\*" must match at least one tensor/],
    [{ exclude: ['layer.2.*'] }, /glob "layer.2.\*" must match at least one tensor/],
    [{ include: ['ids'] }, /glob "ids" must match a float matrix/],
    [{ include: ['table'], exclude: ['t*'] }, /glob "table" must match a float matrix that is not excluded/],
  ])('%j is refused', async (options, message) => {
    await expect(packed(options)).rejects.toEqual(error('ERR_QGEMM_ARGUMENT', message));
  });

  it('globs match as the regular expression that they stand for', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), maxLength: 10 });
    fc.assert(
      fc.property(name, name, (pattern, text) => {
        const expression = [...pattern]
          .map((c) => (c === '*' ? '.*' : c === '?' ? '.' : c === '.' ? '\\.' : c))
          .join('');
        expect(matchesGlob(pattern, text)).toBe(new RegExp(`^${expression}$`, 's').test(text));
      }),
      { numRuns: runs(500) },
    );
  });

  it('a glob of many stars takes no exponential time', () => {
    expect(matchesGlob('a*'.repeat(200) + 'b', 'a'.repeat(5000))).toBe(false);
  });
});

describe('bad arguments', () => {
  it.each<[string, unknown, string]>([
    ['a scheme', { scheme: 'int4' }, 'ERR_QGEMM_ARGUMENT'],
    ['a granularity', { granularity: 'per-row' }, 'ERR_QGEMM_ARGUMENT'],
    ['symmetric', { symmetric: 'yes' }, 'ERR_QGEMM_ARGUMENT'],
    ['activations', { activations: null }, 'ERR_QGEMM_ARGUMENT'],
    ['nonFinite', { nonFinite: 'ignore' }, 'ERR_QGEMM_ARGUMENT'],
    ['include as a string', { include: '*' }, 'ERR_QGEMM_ARGUMENT'],
    ['an empty glob', { include: [''] }, 'ERR_QGEMM_ARGUMENT'],
    ['a number as glob', { exclude: [1] }, 'ERR_QGEMM_ARGUMENT'],
    ['onProgress', { onProgress: true }, 'ERR_QGEMM_ARGUMENT'],
    ['signal', { signal: {} }, 'ERR_QGEMM_ARGUMENT'],
    ['an unknown option', { schema: 'int8' }, 'ERR_QGEMM_ARGUMENT'],
    ['options that are a string', 'int8', 'ERR_QGEMM_ARGUMENT'],
  ])('%s', async (_, options, code) => {
    await expect(packed(options as ConvertOptions)).rejects.toMatchObject({ code });
  });

  it.each([[undefined], [1], [''], ['a\0b'], [null]])('path %j', async (path) => {
    await expect(convert(path as string, 'out')).rejects.toEqual(error('ERR_QGEMM_ARGUMENT', /^input must be a path/));
    await expect(convert('in', path as string)).rejects.toEqual(error('ERR_QGEMM_ARGUMENT', /^output must be a path/));
  });

  it('a file that was converted already', async () => {
    const folder = temporaryFolder();
    const input = writeSafetensors(join(folder, 'in.safetensors'), model);
    await convert(input, join(folder, 'out'));
    await expect(convert(join(folder, 'out'), join(folder, 'again'))).rejects.toEqual(
      error('ERR_QGEMM_FORMAT', /must be an original model/),
    );
  });

  it('names that the output would have twice', async () => {
    const tensors = { 'a.weight': f32([2, 2]), 'a.weight.scales': f32([1]) };
    await expect(packed({}, tensors)).rejects.toEqual(error('ERR_QGEMM_FORMAT', /named "a.weight.scales"/));
    expect(await packed({ exclude: ['a.weight'] }, tensors)).toEqual([]);
  });
});

describe('weights that cannot be packed', () => {
  const wide = { 'wide.weight': f32([1, 65_794]), 'a.weight': f32([2, 2]) };

  it('K beyond exact sums: kept by the rule with the reason, refused when asked for, fine as float32', async () => {
    expect(await packed({}, wide)).toEqual(['a.weight']);
    await expect(packed({ include: ['wide*'] }, wide)).rejects.toEqual(
      error('ERR_QGEMM_LIMIT', /"wide.weight".*at most 65793.*got 65794/),
    );
    expect(await packed({ scheme: 'float32' }, wide)).toEqual(['wide.weight', 'a.weight']);
  });

  it('rows that would take too much memory: kept with the reason', async () => {
    const input = join(temporaryFolder(), 'in.safetensors');
    writeSparse(input, {
      'long.weight': [40, 2 ** 21 + 1],
      'less.weight': [40, 2 ** 21],
      'few.weight': [2, 2 ** 21 + 1],
    });
    const { tensors } = await convert(input, `${input}.out`, { scheme: 'float32', dryRun: true });
    const reasons = new Map(tensors.map(({ name, action, reason }) => [name, `${action} ${reason}`]));
    expect(Object.fromEntries(reasons)).toEqual({
      'long.weight': 'kept K must be at most 2097152 for bounded memory, got 2097153',
      'less.weight': 'packed undefined',
      'few.weight': 'packed undefined',
    });
  });

  it('asymmetric weights have half of that', async () => {
    const tensors = { 'a.weight': f32([1, 33_026]) };
    expect(await packed({}, tensors)).toEqual(['a.weight']);
    expect(await packed({ symmetric: false }, tensors)).toEqual([]);
  });

  it.each([NaN, Infinity, -Infinity])('%s is refused with the name of the tensor, or clipped', async (value) => {
    const data = Float32Array.of(1, value, -2, 3);
    const tensors = { 'good.weight': f32([2, 2]), 'bad.weight': { dtype: 'F32', shape: [2, 2], data } };
    await expect(packed({}, tensors)).rejects.toEqual(
      error('ERR_QGEMM_RANGE', /tensor "bad.weight" must hold finite values/),
    );
    await expect(packed({ scheme: 'float32' }, tensors)).rejects.toMatchObject({ code: 'ERR_QGEMM_RANGE' });
    expect(await packed({ nonFinite: 'clip' }, tensors)).toEqual(['good.weight', 'bad.weight']);
  });
});

describe('progress and abort', () => {
  it('reports every tensor once and ends with everything done', async () => {
    const seen: ConvertProgress[] = [];
    await packed({ onProgress: (progress) => seen.push(progress) });
    expect(seen.map(({ tensor }) => tensor).sort()).toEqual(Object.keys(model).sort());
    const last = seen.at(-1)!;
    expect(last.tensorsDone).toBe(last.tensorsTotal);
    expect(last.bytesDone).toBe(last.bytesTotal);
    expect(seen.every(({ bytesDone }, i) => i === 0 || bytesDone >= seen[i - 1]!.bytesDone)).toBe(true);
  });

  it('rejects with the reason of the signal, before or in the middle, and leaves nothing', async () => {
    const reason = new Error('enough');
    await expect(packed({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const onProgress = vi.fn(() => controller.abort(reason));
    await expect(packed({ signal: controller.signal, onProgress })).rejects.toBe(reason);
    // The first weight and its bias were done; nothing was after them.
    expect(onProgress).toHaveBeenCalledTimes(2);
  });

  it('an error thrown by onProgress stops the conversion', async () => {
    const failure = new Error('mine');
    await expect(
      packed({
        onProgress: () => {
          throw failure;
        },
      }),
    ).rejects.toBe(failure);
  });

  it('an asynchronous onProgress is waited for, and its rejection stops the conversion', async () => {
    let running = 0;
    let calls = 0;
    const onProgress = async (): Promise<void> => {
      expect(++running).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 2));
      running -= 1;
      if (++calls === 3) throw failure;
    };
    const failure = new Error('mine, later');
    await expect(packed({ onProgress })).rejects.toBe(failure);
    expect(calls).toBe(3);
  });

  it('timers run during a conversion', async () => {
    let ticks = 0;
    const timer = setInterval(() => ++ticks, 1);
    const tensors = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`t${i}.weight`, f32([200, 300], i)]));
    await packed({}, tensors);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
  });

  it('QgemmError is what everything else is', async () => {
    await expect(convert('/nonexistent/in', 'out')).rejects.toBeInstanceOf(QgemmError);
  });
});
