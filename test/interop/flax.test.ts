import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../lib/formats/open.js';
import { readTensor } from '../../lib/formats/source.js';
import { convert, loadModel } from '../../lib/index.js';
import { temporaryFolder } from '../support/safetensors.js';

/** Made by scripts/interop/make_flax.py with Flax. */
const folder = join(__dirname, '../../.cache/interop/flax');
const { layer, ...expected } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Record<
  string,
  Record<string, { dtype: string; shape: number[]; sha256: string }>
> & { layer: { x: number[]; y: number[] } };

const DTYPES: Record<string, string> = {
  bool: 'BOOL',
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  complex64: 'C64',
  float8_e4m3fn: 'F8_E4M3',
  float8_e5m2: 'F8_E5M2',
  float8_e4m3fnuz: 'F8_E4M3FNUZ',
  float8_e5m2fnuz: 'F8_E5M2FNUZ',
};
const dtypeOf = (name: string): string => DTYPES[name] ?? name.replace('uint', 'U').replace('int', 'I');

describe('checkpoints written by Flax', () => {
  it.each(Object.keys(expected))('%s: the arrays that Flax reads', (file) => {
    const model = openModel(join(folder, file));
    const arrays = expected[file]!;
    expect([...model.tensors.keys()].sort()).toEqual(Object.keys(arrays).sort());
    for (const [name, { dtype, shape, sha256 }] of Object.entries(arrays)) {
      const tensor = model.tensors.get(name)!;
      expect([name, tensor.dtype, tensor.shape]).toEqual([name, dtypeOf(dtype), shape]);
      expect([name, createHash('sha256').update(readTensor(tensor)).digest('hex')]).toEqual([name, sha256]);
    }
  });

  it('kernels of dense layers are found, those of attention in three dimensions are kept', () => {
    const { matmuls, tensors } = openModel(join(folder, 'model.msgpack'));
    expect(Object.fromEntries(matmuls)).toEqual({
      'params/dense/kernel': { n: 5, k: 16, layout: 'kn', bias: 'params/dense/bias' },
      'params/up/kernel': { n: 16, k: 8, layout: 'kn' },
    });
    expect(tensors.get('params/attention/query/kernel')!.shape).toEqual([8, 2, 4]);
  });

  it("a converted layer gives Flax's outputs", async () => {
    const output = join(temporaryFolder(), 'out.safetensors');
    await convert(join(folder, 'model.msgpack'), output, { scheme: 'float32' });
    using model = loadModel(output);
    const y = model.linear('params/dense/kernel').forward(Float32Array.from(layer.x));
    expect(y).toHaveLength(layer.y.length);
    for (const [i, value] of y.entries()) expect(value).toBeCloseTo(layer.y[i]!, 5);
  });

  it('the state of a training is metadata, the optimizer left out', () => {
    const { metadata } = openModel(join(folder, 'state.msgpack'));
    expect(Object.fromEntries(metadata)).toEqual({ 'flax.step': '0', 'flax.left_out': 'opt_state' });
  });

  it('complex128 is refused', () => {
    expect(() => openModel(join(folder, 'complex.msgpack'))).toThrow(
      expect.objectContaining({ code: 'ERR_QGEMM_DTYPE' }) as Error,
    );
  });
});
