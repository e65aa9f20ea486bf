import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert, loadModel, type ConvertOptions, type ConvertReport } from '../lib/index.js';
import { expectedWeight, padded, tensorBytes, transpose } from './support/packed.js';
import {
  bytesOf,
  f32,
  parseSafetensors,
  temporaryFolder,
  values,
  writeSafetensors,
  type TestTensor,
} from './support/safetensors.js';
import { graphTopology, tfjsFiles, writeFiles } from './support/tfjs.js';

type Parsed = ReturnType<typeof parseSafetensors>;

async function convertTensors(
  tensors: Record<string, TestTensor>,
  options?: ConvertOptions,
  metadata?: Record<string, string>,
): Promise<{ report: ConvertReport; file: Parsed; path: string }> {
  const folder = temporaryFolder();
  const path = join(folder, 'out.safetensors');
  const report = await convert(writeSafetensors(join(folder, 'in.safetensors'), tensors, metadata), path, options);
  return { report, file: parseSafetensors(readFileSync(path)), path };
}

const record = (file: Parsed, name: string): unknown => JSON.parse(file.metadata[`qgemm.weight.${name}`]!);

describe('packed int8 weights', () => {
  const shapes = [
    [1, 1],
    [32, 64],
    [33, 65],
    [7, 130],
    [70, 3],
  ] as const;
  const variants = shapes.flatMap(([n, k]) =>
    (['per-channel', 'per-tensor'] as const).flatMap((granularity) =>
      [true, false].map((symmetric) => ({ n, k, granularity, symmetric })),
    ),
  );

  it.each(variants)(
    '[$n, $k] $granularity, symmetric $symmetric, as the oracle has them',
    async ({ n, k, granularity, symmetric }) => {
      const w = values(n * k, n + k);
      const { file } = await convertTensors(
        { 'a.weight': { dtype: 'F32', shape: [n, k], data: w } },
        { granularity, symmetric },
      );
      const expected = expectedWeight(w, n, k, { perTensor: granularity === 'per-tensor', symmetric });
      expect(tensorBytes(file, 'a.weight.panels')).toEqual(bytesOf(expected.panels));
      expect(tensorBytes(file, 'a.weight.scales').subarray(0, 4 * n)).toEqual(
        bytesOf(expected.scales).subarray(0, 4 * n),
      );
      expect(tensorBytes(file, 'a.weight.column_sums')).toEqual(bytesOf(expected.column_sums));
      expect(file.tensors.has('a.weight.zero_points')).toBe(!symmetric);
      if (!symmetric)
        expect(tensorBytes(file, 'a.weight.zero_points').subarray(0, 4 * n)).toEqual(
          bytesOf(expected.zero_points).subarray(0, 4 * n),
        );
      const np = Math.ceil(n / 32) * 32;
      expect(file.tensors.get('a.weight.panels')!.shape).toEqual([np / 32, Math.ceil(k / 64) * 16, 32, 4]);
      expect(record(file, 'a.weight')).toEqual({
        scheme: 'int8',
        n,
        k,
        granularity,
        symmetric,
        activations: 'asymmetric',
        source: { dtype: 'F32', shape: [n, k], layout: 'nk' },
      });
    },
  );

  it('F16 and BF16 weights are packed as their exact float32 values', async () => {
    const halves = Uint16Array.of(0x3c00, 0xbc00, 0x0001, 0x7bff, 0x3555, 0x8000);
    const brains = Uint16Array.of(0x3f80, 0xbf80, 0x0080, 0x4049, 0x3eab, 0x8000);
    const exactHalves = Float32Array.of(1, -1, 2 ** -24, 65504, 0.333251953125, -0);
    const exactBrains = new Float32Array(Uint32Array.from(brains, (bits) => bits * 65536).buffer);
    const { file } = await convertTensors({
      'h.weight': { dtype: 'F16', shape: [2, 3], data: halves },
      'b.weight': { dtype: 'BF16', shape: [2, 3], data: brains },
    });
    for (const [name, exact] of [
      ['h', exactHalves],
      ['b', exactBrains],
    ] as const) {
      expect(tensorBytes(file, `${name}.weight.panels`)).toEqual(bytesOf(expectedWeight(exact, 2, 3).panels));
    }
    expect(record(file, 'h.weight')).toMatchObject({ source: { dtype: 'F16' } });
  });

  it('weights stored [K, N] give the same arrays as their transpose', async () => {
    const w = values(35 * 70);
    const folder = temporaryFolder();
    const graph = graphTopology([
      { name: 'w', op: 'Const' },
      { name: 'm', op: 'MatMul', input: ['x', 'w'] },
    ]);
    const stored = { name: 'w', shape: [70, 35], dtype: 'float32', data: transpose(w, 35, 70) };
    const input = writeFiles(folder, tfjsFiles(graph, [stored], 100));
    const path = join(folder, 'out.safetensors');
    const report = await convert(input, path);
    expect(report.format).toBe('tfjs-graph');
    const file = parseSafetensors(readFileSync(path));
    const expected = expectedWeight(w, 35, 70);
    expect(tensorBytes(file, 'w.panels')).toEqual(bytesOf(expected.panels));
    expect(tensorBytes(file, 'w.column_sums')).toEqual(bytesOf(expected.column_sums));
    expect(record(file, 'w')).toMatchObject({ n: 35, k: 70, source: { shape: [70, 35], layout: 'kn' } });
  });
});

describe('the file around them', () => {
  const tensors: Record<string, TestTensor> = {
    bytes: { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) },
    'b.weight': f32([40, 20], 2),
    'b.bias': { dtype: 'F16', shape: [40], data: new Uint16Array(40).fill(0x3555) },
    ids: { dtype: 'I64', shape: [1, 2], data: BigInt64Array.of(-5n, 6n) },
    'a.weight': f32([2, 9], 3),
    'embed.weight': f32([5, 4], 4),
    half: { dtype: 'F16', shape: [1], data: Uint16Array.of(0x7e01) },
    nothing: { dtype: 'F32', shape: [0, 3], data: new Float32Array(0) },
    scalar: f32([], 5),
  };

  it('keeps other tensors byte for byte, aligns everything, keeps metadata', async () => {
    const { file, report } = await convertTensors(tensors, {}, { format: 'pt', 'qgemm.odd': 'x' });
    for (const name of ['bytes', 'ids', 'embed.weight', 'half', 'nothing', 'scalar']) {
      const kept = file.tensors.get(name)!;
      const { dtype, shape, data } = tensors[name]!;
      expect({ dtype: kept.dtype, shape: kept.shape }).toEqual({ dtype, shape });
      expect(Buffer.compare(kept.bytes, bytesOf(data))).toBe(0);
    }
    expect(file.tensors.has('b.bias')).toBe(false);
    expect(tensorBytes(file, 'b.weight.bias')).toEqual(padded(new Float32Array(40).fill(0.333251953125), 64));
    expect(record(file, 'b.weight')).toMatchObject({ bias: { name: 'b.bias', dtype: 'F16' } });
    for (const [name, { offset }] of file.tensors) {
      if (/\.(panels|scales|column_sums|bias)$/.test(name)) expect(offset % 64, name).toBe(0);
    }
    expect(file.tensors.get('ids')!.offset % 8).toBe(0);
    expect(file.tensors.get('embed.weight')!.offset % 4).toBe(0);
    const { format, 'qgemm.format_version': formatVersion, 'qgemm.odd': odd } = file.metadata;
    expect({ format, formatVersion, odd }).toEqual({ format: 'pt', formatVersion: '1', odd: undefined });
    expect(file.metadata['qgemm.generator']).toMatch(/^qgemm \d+\.\d+\.\d+/);
    expect(report).toMatchObject({ format: 'safetensors', scheme: 'int8', packed: 2, kept: 6 });
    expect(report.tensors.map(({ name, action }) => `${name} ${action}`)).toEqual([
      'b.weight packed',
      'b.bias bias',
      'a.weight packed',
      'ids kept',
      'embed.weight kept',
      'nothing kept',
      'scalar kept',
      'half kept',
      'bytes kept',
    ]);
    expect(report.bytesBefore).toBe(Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0));
  });

  it('float32: panels P[n/32, k, n%32] = W[n, k] and nothing else', async () => {
    const { file } = await convertTensors({ 'a.weight': f32([33, 3]) }, { scheme: 'float32' });
    const w = values(99);
    const panels = new Float32Array(2 * 3 * 32);
    w.forEach((value, i) => {
      const [n, k] = [Math.floor(i / 3), i % 3];
      panels[(Math.floor(n / 32) * 3 + k) * 32 + (n % 32)] = value;
    });
    expect([...file.tensors.keys()]).toEqual(['a.weight.panels']);
    expect(file.tensors.get('a.weight.panels')!.shape).toEqual([2, 3, 32]);
    expect(tensorBytes(file, 'a.weight.panels')).toEqual(bytesOf(panels));
  });

  it('is the same bytes every time', async () => {
    const [first, second] = [await convertTensors(tensors), await convertTensors(tensors)];
    expect(readFileSync(first.path).equals(readFileSync(second.path))).toBe(true);
  });

  it('a model without matmul weights converts too', async () => {
    const { report, path } = await convertTensors({ x: f32([3]) });
    expect(report.packed).toBe(0);
    expect(loadModel(path).names).toEqual([]);
  });

  it('a bias that two weights share is packed with both', async () => {
    const folder = temporaryFolder();
    const fused = (name: string): object => ({
      name,
      op: '_FusedMatMul',
      input: ['x', `w${name}`, 'b'],
      attr: { fused_ops: { list: { s: ['Qmlhc0FkZA=='] } } },
    });
    const nodes = [...['w1', 'w2', 'b'].map((name) => ({ name, op: 'Const' })), fused('1'), fused('2')];
    const weights = [
      ['w1', [2, 3]],
      ['w2', [2, 3]],
      ['b', [3]],
    ] as const;
    const files = tfjsFiles(
      { node: nodes },
      weights.map(([name, shape]) => ({
        name,
        shape: [...shape],
        dtype: 'float32',
        data: values(name === 'b' ? 3 : 6),
      })),
    );
    const path = join(folder, 'out.safetensors');
    const report = await convert(writeFiles(folder, files), path);
    expect(report.tensors.filter(({ action }) => action === 'bias').map(({ name }) => name)).toEqual(['b']);
    const file = parseSafetensors(readFileSync(path));
    for (const name of ['w1', 'w2']) expect(tensorBytes(file, `${name}.bias`)).toEqual(padded(values(3), 32));
  });
});
