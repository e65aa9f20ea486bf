import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../lib/formats/open.js';
import { readTensor, type SourceTensor } from '../../lib/formats/source.js';
import { convert, loadModel, type ConvertOptions } from '../../lib/index.js';
import { temporaryFolder } from '../support/safetensors.js';

interface Weight {
  sha256: string;
  dtype: string;
  scales: number[];
  zeroPoints: number[];
}

/** Made by scripts/interop/make_onnx.py with the onnx and onnxruntime packages. */
const folder = join(__dirname, '../../.cache/interop/onnx');
const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as {
  types: Record<string, string>;
  weights: Record<string, Record<string, Weight>>;
};
const file = (name: string): string => join(folder, name);
const sha256 = (tensor: SourceTensor): string => createHash('sha256').update(readTensor(tensor)).digest('hex');

describe('ONNX models written by the onnx package', () => {
  const types = openModel(file('types.onnx'));

  it.each(Object.entries(expected.types))('%s has the bytes that numpy has', (name, digest) => {
    expect(sha256(types.tensors.get(name)!)).toBe(digest);
  });

  it('external data give the same tensors as data inside', () => {
    const [inside, outside] = [openModel(file('mlp.onnx')), openModel(file('mlp_external.onnx'))];
    expect(outside.files).toHaveLength(2);
    expect([...outside.matmuls]).toEqual([...inside.matmuls]);
    for (const [name, tensor] of inside.tensors) expect(sha256(outside.tensors.get(name)!)).toBe(sha256(tensor));
    expect(inside.matmuls.size).toBe(7);
  });
});

describe('models that onnxruntime quantized', () => {
  it.each(Object.entries(expected.weights))('%s: codes, scales and zero points', (name, weights) => {
    const { matmuls } = openModel(file(name));
    expect([...matmuls.keys()].sort()).toEqual(Object.keys(weights).sort());
    for (const [key, { dtype, scales, zeroPoints, sha256: digest }] of Object.entries(weights)) {
      const { quantized } = matmuls.get(key)!;
      expect(quantized!.codes.dtype).toBe(dtype === 'int8' ? 'I8' : 'U8');
      expect(sha256(quantized!.codes)).toBe(digest);
      expect([...quantized!.readScales()]).toEqual(scales);
      expect([...(quantized!.readZeroPoints() ?? scales.map(() => 0))]).toEqual(zeroPoints);
    }
  });

  it.each(Object.keys(expected.weights))('%s: converted, the layers have the values of the codes', async (name) => {
    const output = join(temporaryFolder(), 'out.safetensors');
    const report = await convert(file(name), output);
    expect(report.packed).toBe(2);
    const [source, model] = [openModel(file(name)), loadModel(output)];
    for (const [key, { n, k, layout }] of source.matmuls) {
      const values = new Float32Array(readTensor(source.tensors.get(key)!).buffer);
      const rows = layout === 'nk' ? values : values.map((_, i) => values[(i % k) * n + Math.floor(i / k)]!);
      expect(model.tensor(key).data).toEqual(rows);
    }
    model.close();
  });
});

describe('models that are written run in onnxruntime', () => {
  const settings: [string, ConvertOptions][] = [
    ['per channel', {}],
    ['per tensor', { granularity: 'per-tensor' }],
    ['asymmetric', { symmetric: false }],
    ['asymmetric per tensor', { symmetric: false, granularity: 'per-tensor' }],
    ['by the formulas of onnx', { numerics: 'onnx' }],
  ];
  const models = ['mlp.onnx', 'mlp_13.onnx', 'mlp_external.onnx', 'matmul.onnx', 'gemm.onnx', 'half.onnx'];
  const cases = models.flatMap((name) => settings.map(([what, options]) => [name, what, options] as const));

  it.each(cases)('%s, %s', async (name, _, options) => {
    const output = join(temporaryFolder(), 'out.onnx');
    await convert(file(name), output, { ...options, format: 'onnx' });
    const { cosine, weights } = check(file(name), output);
    expect(cosine).toBeGreaterThan(0.999);
    // What DequantizeLinear makes of the weights is what is read here, and what packing gives.
    const written = openModel(output);
    expect(written.files).toHaveLength(1);
    const values = [...written.matmuls.keys()].map((key) => sha256(written.tensors.get(key)!));
    expect(values.sort()).toEqual(Object.values(weights).sort());
    expect(values).toHaveLength(openModel(file(name)).matmuls.size);
  });

  it('a model that is quantized already stays as it is, byte for byte', async () => {
    const [name] = Object.keys(expected.weights);
    const output = join(temporaryFolder(), 'out.onnx');
    await convert(file(name!), output, { format: 'onnx' });
    expect(readFileSync(output)).toEqual(readFileSync(file(name!)));
  });
});

function check(original: string, converted: string): { cosine: number; weights: Record<string, string> } {
  const python = process.env['QGEMM_TEST_PYTHON'];
  if (python === undefined) throw new Error('run npm run test:interop, which makes the Python environment');
  const script = join(__dirname, '../../scripts/interop/check_onnx.py');
  return JSON.parse(execFileSync(python, ['-W', 'ignore', script, original, converted], { encoding: 'utf8' })) as {
    cosine: number;
    weights: Record<string, string>;
  };
}
