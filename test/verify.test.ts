import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { native } from '../lib/native.js';
import { convert, loadModel, verify, type ConvertOptions, type VerifyReport } from '../lib/index.js';
import {
  bytesOf,
  f32,
  parseSafetensors,
  safetensorsBytes,
  temporaryFolder,
  values,
  writeSafetensors,
  type TestTensor,
} from './support/safetensors.js';
import { denseLayer, tfjsFiles, writeFiles } from './support/tfjs.js';

const tensors: Record<string, TestTensor> = {
  'a.weight': f32([20, 30], 1),
  'a.bias': f32([20], 2),
  'b.weight': { dtype: 'F32', shape: [2, 3], data: Float32Array.of(127, -1, 0, 5, 127, 3) },
  'embed.weight': f32([4, 5], 3),
};

let folder: string;
let input: string;
let output: string;
beforeEach(() => {
  folder = temporaryFolder();
  input = writeSafetensors(join(folder, 'in.safetensors'), tensors);
  output = join(folder, 'out.safetensors');
});

async function converted(options?: ConvertOptions): Promise<VerifyReport> {
  await convert(input, output, options);
  return verify(input, output);
}

it('names both files as they were given', async () => {
  await convert(input, output);
  const [original, quantized] = [input, output].map((path) => relative(process.cwd(), path)) as [string, string];
  expect(await verify(original, quantized)).toMatchObject({ original, quantized });
});

/** The file with some tensors changed, added or left out. */
function rewrite(change: (all: Record<string, TestTensor>) => void): void {
  const { tensors: parsed, metadata } = parseSafetensors(readFileSync(output));
  const all: Record<string, TestTensor> = {};
  for (const [name, { dtype, shape, bytes }] of parsed) all[name] = { dtype, shape, data: Buffer.from(bytes) };
  change(all);
  writeFileSync(output, safetensorsBytes(all, metadata));
}

/** SQNR in dB, cosine and largest error, as the formulas read. */
function compare(x: Float32Array, y: Float32Array): { sqnr: number; cosine: number; maxError: number } {
  const sum = (f: (a: number, b: number) => number): number => x.reduce((total, a, i) => total + f(a, y[i]!), 0);
  return {
    sqnr: 10 * Math.log10(sum((a) => a * a) / sum((a, b) => (a - b) ** 2)),
    cosine: sum((a, b) => a * b) / Math.sqrt(sum((a) => a * a) * sum((_, b) => b * b)),
    maxError: Math.max(...x.map((a, i) => Math.abs(a - y[i]!))),
  };
}

describe('verify', () => {
  it('gives the errors of packed weights by their formulas, worst first, and finds everything else equal', async () => {
    const report = await converted();
    const model = loadModel(output);
    const expected = compare(values(600, 1), model.tensor('a.weight').data as Float32Array);
    model.close();
    const [a, b] = report.weights;
    expect(a).toMatchObject({ name: 'a.weight', scheme: 'int8', n: 20, k: 30, bytesBefore: 2400 });
    expect(a!.sqnr).toBeCloseTo(expected.sqnr, 9);
    expect(a!.cosine).toBeCloseTo(expected.cosine, 12);
    expect(a!.maxError).toBe(expected.maxError);
    // Scale 1: these values are codes already.
    expect(b).toMatchObject({ name: 'b.weight', sqnr: Infinity, cosine: 1, maxError: 0 });
    expect(report.total).toMatchObject({ minSqnr: a!.sqnr, maxError: a!.maxError, bytesBefore: 2424 });
    expect(report).toMatchObject({ original: input, quantized: output, kept: 1, mismatches: [] });
    expect(report.bytesAfter).toBe(readFileSync(output).length);
  });

  it('asymmetric codes of an all-positive weight are better than symmetric ones; float32 is exact', async () => {
    const positive: TestTensor = { dtype: 'F32', shape: [20, 30], data: values(600, 1).map((value) => value + 2) };
    writeSafetensors(input, { ...tensors, 'a.weight': positive });
    const sqnr = async (options: ConvertOptions): Promise<number> =>
      (await converted(options)).weights.find(({ name }) => name === 'a.weight')!.sqnr;
    const symmetric = await sqnr({});
    expect(await sqnr({ symmetric: false })).toBeGreaterThan(symmetric + 3);
    expect(await sqnr({ granularity: 'per-tensor' })).toBeLessThanOrEqual(symmetric + 0.01);
    expect(await sqnr({ scheme: 'float32' })).toBe(Infinity);
  });

  it('weights stored [K, N] are compared in the right order', async () => {
    const weights = [
      { name: 'd/kernel', shape: [30, 20], dtype: 'float32', data: values(600) },
      { name: 'd/bias', shape: [20], dtype: 'float32', data: values(20) },
    ];
    const model = writeFiles(
      join(folder, 'tfjs'),
      tfjsFiles({ class_name: 'Sequential', config: [denseLayer('d', 20)] }, weights, 999),
    );
    await convert(model, output);
    const report = await verify(model, output);
    expect(report.mismatches).toEqual([]);
    expect(report.weights[0]!.sqnr).toBeGreaterThan(35);
  });

  it('clipped weights cannot be compared and come first', async () => {
    const data = Float32Array.of(1, Infinity, 2, 3);
    writeSafetensors(input, { ...tensors, 'c.weight': { dtype: 'F32', shape: [2, 2], data } });
    const report = await converted({ nonFinite: 'clip' });
    expect(report.weights[0]).toMatchObject({ name: 'c.weight', sqnr: NaN, cosine: NaN, maxError: NaN });
  });

  it.each<[string, (all: Record<string, TestTensor>) => void, object]>([
    [
      'a changed byte',
      (all) => ((all['embed.weight']!.data as Uint8Array)[7]! ^= 1),
      { name: 'embed.weight', problem: 'its bytes differ' },
    ],
    [
      'another dtype',
      (all) => (all['embed.weight']!.dtype = 'I32'),
      { name: 'embed.weight', problem: 'it is I32 [4, 5] instead of F32 [4, 5]' },
    ],
    ['a missing tensor', (all) => delete all['embed.weight'], { name: 'embed.weight', problem: 'it is missing' }],
    [
      'a changed bias',
      (all) => (all['a.weight.bias'] = { ...all['a.weight.bias']!, data: new Float32Array(32) }),
      { name: 'a.bias', problem: 'its values differ' },
    ],
    [
      'a tensor too many',
      (all) => (all['more'] = f32([1])),
      { name: 'more', problem: 'the original does not have it' },
    ],
  ])('finds %s', async (_, change, mismatch) => {
    await convert(input, output);
    rewrite(change);
    expect((await verify(input, output)).mismatches).toEqual([mismatch]);
  });

  it('finds a weight that was packed from another shape', async () => {
    await convert(input, output);
    writeSafetensors(input, { ...tensors, 'a.weight': f32([30, 20], 1) });
    const { mismatches } = await verify(input, output);
    expect(mismatches).toEqual([
      { name: 'a.weight', problem: 'it was packed from F32 [20, 30], the original is F32 [30, 20]' },
    ]);
  });

  it('finds a model equal to itself, and its halves close to it', async () => {
    expect(await verify(input, input)).toMatchObject({ kept: 4, weights: [], mismatches: [] });
    const halves = join(folder, 'halves.safetensors');
    const data = Uint16Array.from(values(600, 1), (value) => new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16);
    writeSafetensors(halves, { ...tensors, 'a.weight': { dtype: 'BF16', shape: [20, 30], data } });
    const { weights, kept, mismatches } = await verify(input, halves);
    expect({ kept, mismatches }).toEqual({ kept: 3, mismatches: [] });
    expect(weights).toMatchObject([{ name: 'a.weight', scheme: 'BF16', n: 20, k: 30, bitsPerWeight: 16 }]);
    expect(weights[0]!.maxError).toBeGreaterThan(0.001);
    expect(weights[0]!.maxError).toBeLessThan(2 ** -7);
  });

  it('takes another dtype or shape of a plain tensor for a mismatch where it cannot be the same values', async () => {
    const other = join(folder, 'other.safetensors');
    writeSafetensors(other, {
      ...tensors,
      'a.weight': { ...f32([30, 20], 1) },
      'a.bias': { dtype: 'I32', shape: [20], data: new Int32Array(20) },
      'b.weight': { dtype: 'BF16', shape: [3, 2], data: new Uint16Array(6) },
    });
    const { mismatches } = await verify(input, other);
    expect(mismatches.map(({ problem }) => problem)).toEqual([
      'it is F32 [30, 20] instead of F32 [20, 30]',
      'it is I32 [20] instead of F32 [20]',
      'it has the shape [3, 2] instead of [2, 3]',
    ]);
  });

  it('wants an original and a converted file', async () => {
    await convert(input, output);
    await expect(verify(output, output)).rejects.toMatchObject({
      code: 'ERR_QGEMM_FORMAT',
      message: expect.stringMatching(/must be an original model/),
    });
    await expect(verify(input, '')).rejects.toMatchObject({ code: 'ERR_QGEMM_ARGUMENT' });
    await expect(verify(1 as never, output)).rejects.toMatchObject({ code: 'ERR_QGEMM_ARGUMENT' });
  });
});

describe('the native tensor tools', () => {
  it('compare equal infinities and NaN as equal, zeros as parallel', () => {
    const x = Float32Array.of(1, Infinity, NaN, -0);
    expect(native.compareFloat32(x, x)).toEqual({ sqnr: Infinity, cosine: 1, maxError: 0 });
    expect(native.compareFloat32(new Float32Array(3), new Float32Array(3))).toEqual({
      sqnr: Infinity,
      cosine: 1,
      maxError: 0,
    });
    expect(native.compareFloat32(new Float32Array(0), new Float32Array(0))).toEqual({
      sqnr: Infinity,
      cosine: 1,
      maxError: 0,
    });
    expect(native.compareFloat32(Float32Array.of(0), Float32Array.of(2))).toEqual({
      sqnr: -Infinity,
      cosine: 0,
      maxError: 2,
    });
    expect(native.compareFloat32(Float32Array.of(1e30), Float32Array.of(-1e30)).cosine).toBe(-1);
  });

  it('convert every half and every bfloat16 as their definitions say', () => {
    const codes = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const halves = new Float32Array(65536);
    native.toFloat32(bytesOf(codes), 'F16', halves);
    const brains = new Float32Array(65536);
    native.toFloat32(bytesOf(codes), 'BF16', brains);
    const bits = new Uint32Array(brains.buffer);
    for (let code = 0; code < 65536; ++code) {
      const [sign, exponent, fraction] = [code >> 15 ? -1 : 1, (code >> 10) & 31, code & 1023];
      const special = fraction === 0 ? Infinity : NaN;
      const value =
        exponent === 31 ? special : exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
      if (!Object.is(halves[code], sign * value))
        throw new Error(`half ${code}: ${halves[code]} instead of ${sign * value}`);
      if (bits[code] !== code * 65536) throw new Error(`bfloat16 ${code}: ${bits[code]} instead of ${code * 65536}`);
    }
  });

  it('read bytes at odd addresses', () => {
    const bytes = new Uint8Array(9);
    bytes.set(bytesOf(Float32Array.of(1.5, -2)), 1);
    const out = new Float32Array(2);
    native.toFloat32(bytes.subarray(1), 'F32', out);
    expect([...out]).toEqual([1.5, -2]);
    native.toFloat32(bytes.subarray(3, 5), 'BF16', out.subarray(1));
    expect(out[1]).toBe(1.5);
  });

  it('check types and lengths', () => {
    const call = native as unknown as Record<string, (...args: unknown[]) => unknown>;
    const bad: [string, unknown[]][] = [
      ['toFloat32', [new Uint8Array(3), 'F16', new Float32Array(2)]],
      ['toFloat32', [new Uint8Array(4), 'F64', new Float32Array(2)]],
      ['toFloat32', [[1, 2], 'F16', new Float32Array(1)]],
      ['affineDequantize', [new Uint8Array(2), 1, 0, new Float32Array(3)]],
      ['affineDequantize', [new Int8Array(2), 1, 0, new Float32Array(2)]],
      ['affineDequantize', [new Uint8Array(2), '1', 0, new Float32Array(2)]],
      ['affineDequantize', [new Uint8Array(2), 1, 0, new Uint32Array(2)]],
      ['compareFloat32', [new Float32Array(2), new Float32Array(3)]],
      ['compareFloat32', [new Float32Array(2)]],
    ];
    for (const [name, args] of bad) {
      expect(() => call[name]!(...args), name).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^ERR_QGEMM_/) }),
      );
    }
  });

  it('dequantize to int32 as Math.round and Int32Array do', () => {
    const codes = Uint16Array.from({ length: 65536 }, (_, i) => i);
    for (const [scale, min] of [
      [0.5, -100.25],
      [0.1, -3000],
      [1e6, -1e10],
      [-0.5, 0.5],
    ] as const) {
      const out = new Int32Array(65536);
      native.affineDequantize(codes, scale, min, out);
      const expected = Int32Array.from(codes, (code) => Math.round(code * scale + min));
      expect(bytesOf(out).equals(bytesOf(expected)), `scale ${scale}`).toBe(true);
    }
  });
});
