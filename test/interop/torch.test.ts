import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../lib/formats/open.js';
import { readTensor, type SourceTensor } from '../../lib/formats/source.js';

interface Expected {
  dtype: string;
  shape: number[];
  sha256: string;
  codes?: string;
  scales?: number[];
  zeroPoints?: number[];
  axis?: number | null;
}

/** Made by scripts/interop/make_torch.py with torch. */
const folder = join(__dirname, '../../.cache/interop/torch');
const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Record<
  string,
  Record<string, Expected>
>;

const DTYPES: Record<string, string> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  uint16: 'U16',
  uint32: 'U32',
  uint64: 'U64',
  bool: 'BOOL',
  complex64: 'C64',
  float8_e4m3fn: 'F8_E4M3',
  float8_e5m2: 'F8_E5M2',
  float8_e4m3fnuz: 'F8_E4M3FNUZ',
  float8_e5m2fnuz: 'F8_E5M2FNUZ',
};

const sha256 = (tensor: SourceTensor): string => createHash('sha256').update(readTensor(tensor)).digest('hex');

describe('checkpoints written by torch.save', () => {
  it.each(Object.keys(expected))('%s: the same bytes as torch', (file) => {
    const model = openModel(join(folder, file));
    const tensors = expected[file]!;
    for (const [name, { dtype, shape, sha256: hash }] of Object.entries(tensors)) {
      const tensor = model.tensors.get(name)!;
      expect([name, tensor.dtype, tensor.shape]).toEqual([name, DTYPES[dtype.replace('torch.', '')], shape]);
      expect([name, sha256(tensor)]).toEqual([name, hash]);
    }
    // Quantized layers have scales and zero points of activations besides.
    if (file !== 'quantized-layers.pt') expect([...model.tensors.keys()]).toEqual(Object.keys(tensors));
  });

  it.each(['quantized.pt', 'quantized-layers.pt'])('%s: codes, scales and zero points as torch has them', (file) => {
    const { matmuls } = openModel(join(folder, file));
    let compared = 0;
    for (const [name, { shape, codes, scales, zeroPoints, axis }] of Object.entries(expected[file]!)) {
      if (codes === undefined || shape.length !== 2 || axis === 1) continue;
      const found = matmuls.get(name)!.quantized!;
      expect(found.granularity).toBe(axis === null ? 'per-tensor' : 'per-channel');
      expect(sha256(found.codes)).toBe(codes);
      expect(found.readScales()).toEqual(Float32Array.from(scales!));
      expect(found.readZeroPoints() ?? new Int32Array(scales!.length)).toEqual(Int32Array.from(zeroPoints!));
      compared += 1;
    }
    expect(compared).toBe(file === 'quantized.pt' ? 4 : 2);
  });

  it.each([
    ['module.pt', 'ERR_QGEMM_PICKLE', 'torch.nn.modules.container.Sequential'],
    ['meta.pt', 'ERR_QGEMM_PICKLE', 'torch._utils._rebuild_meta_tensor_no_storage'],
    ['sparse.pt', 'ERR_QGEMM_PICKLE', 'torch._utils._rebuild_sparse_tensor'],
    ['conjugate.pt', 'ERR_QGEMM_DTYPE', 'resolve_conj'],
  ])('%s is refused with %s and names %s', (file, code, message) => {
    expect(() => openModel(join(folder, file))).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) as string }) as Error,
    );
  });
});
