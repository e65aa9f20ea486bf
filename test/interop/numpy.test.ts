import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../lib/formats/open.js';
import { readTensor } from '../../lib/formats/source.js';

/** Made by scripts/interop/make_numpy.py with NumPy. */
const folder = join(__dirname, '../../.cache/interop/numpy');
const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Record<
  string,
  Record<string, { dtype: string; shape: number[]; sha256: string }>
>;

const DTYPES: Record<string, string> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
  complex64: 'C64',
};

describe('arrays written by NumPy', () => {
  it.each(Object.keys(expected))('%s: the same bytes as NumPy', (file) => {
    const model = openModel(join(folder, file));
    const arrays = expected[file]!;
    for (const [name, { dtype, shape, sha256 }] of Object.entries(arrays)) {
      const tensor = model.tensors.get(name)!;
      expect([name, tensor.dtype, tensor.shape]).toEqual([name, DTYPES[dtype], shape]);
      expect([name, createHash('sha256').update(readTensor(tensor)).digest('hex')]).toEqual([name, sha256]);
    }
    expect([...model.tensors.keys()]).toEqual(Object.keys(arrays));
  });

  it.each(['objects.npy', 'records.npy', 'strings.npy'])('%s is refused', (file) => {
    expect(() => openModel(join(folder, file))).toThrow(expect.objectContaining({ code: 'ERR_QGEMM_DTYPE' }) as Error);
  });
});
