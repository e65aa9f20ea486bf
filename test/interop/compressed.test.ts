import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../lib/formats/open.js';
import { readFloat32 } from '../../lib/formats/values.js';
import { convert, loadModel, verify, type ConvertOptions } from '../../lib/index.js';
import { parseSafetensors, temporaryFolder } from '../support/safetensors.js';

/** Made by scripts/interop/make_compressed.py with the compressed-tensors package. */
const folder = join(__dirname, '../../.cache/interop/compressed');
const floats = join(folder, 'float.safetensors');
const names = ['a.weight', 'b.weight', 'ties.weight', 'zeros.weight'];

const parse = (...path: string[]): ReturnType<typeof parseSafetensors> => parseSafetensors(readFileSync(join(...path)));

function float32(bytes: Buffer): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}

describe('weights quantized by the compressed-tensors package', () => {
  it('--numerics compressed-tensors gives its codes and scales, bit for bit', async () => {
    const output = join(temporaryFolder(), 'out');
    await convert(floats, output, { format: 'compressed-tensors', numerics: 'compressed-tensors' });
    const [ours, theirs] = [parse(output, 'model.safetensors'), parse(folder, 'quantized', 'model.safetensors')];
    expect([...ours.tensors.keys()].sort()).toEqual([...theirs.tensors.keys()].sort());
    for (const [name, { dtype, shape, bytes }] of theirs.tensors) {
      expect({ name, ...ours.tensors.get(name) }).toMatchObject({ name, dtype, shape, bytes });
    }
  });

  it.each(['quantized', 'asymmetric'])(
    'keep their codes, and have the values that the package gives: %s',
    async (kind) => {
      const input = join(folder, kind);
      const values = parse(folder, `${kind}-values.safetensors`).tensors;
      const source = openModel(input);
      for (const name of names)
        expect(readFloat32(source.tensors.get(name)!)).toEqual(float32(values.get(name)!.bytes));
      source.close();
      const output = join(temporaryFolder(), 'out.safetensors');
      const report = await convert(input, output);
      expect(
        report.tensors
          .filter(({ codesKept }) => codesKept)
          .map(({ name }) => name)
          .sort(),
      ).toEqual(names);
      const model = loadModel(output);
      for (const name of names) expect(model.tensor(name).data).toEqual(float32(values.get(name)!.bytes));
      model.close();
      expect((await verify(input, output)).total.maxError).toBe(0);
    },
  );
});

describe('folders that we write', () => {
  const variants: ConvertOptions[] = [
    {},
    { symmetric: false },
    { granularity: 'per-tensor' },
    { symmetric: false, granularity: 'per-tensor', numerics: 'torch' },
  ];

  it.each(variants)('are read by the package with the values that we mean: %j', async (options) => {
    const target = temporaryFolder();
    const output = join(target, 'out');
    await convert(floats, output, { format: 'compressed-tensors', ...options });
    const script = join(__dirname, '../../scripts/interop/read_compressed.py');
    execFileSync(process.env['QGEMM_TEST_PYTHON']!, [script, output, join(target, 'values')], { stdio: 'pipe' });
    const values = parse(target, 'values').tensors;
    expect([...values.keys()].sort()).toEqual(names);
    const source = openModel(output);
    for (const [name, { bytes }] of values) expect(readFloat32(source.tensors.get(name)!)).toEqual(float32(bytes));
    source.close();
  });
});
