import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../lib/formats/open.js';
import { readTensor, type ModelSource } from '../lib/formats/source.js';
import { convert, inspect, loadModel } from '../lib/index.js';
import { npyBytes, type TestNpy } from './support/npy.js';
import { bytesOf, temporaryFolder, values } from './support/safetensors.js';
import { zipBytes, type TestZipFile } from './support/zip.js';

function open(bytes: Uint8Array, name: string): ModelSource {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, bytes);
  return openModel(path);
}

const array = (npy: TestNpy): ModelSource => open(npyBytes(npy), 'fc.weight.npy');
const only = (model: ModelSource): Buffer => Buffer.from(readTensor([...model.tensors.values()][0]!));
const w = values(6);

describe('NumPy arrays', () => {
  it.each([
    [1, 0],
    [2, 0],
    [3, 0],
  ] as const)('version %i.%i, named by the file', (...version) => {
    const model = array({ shape: [2, 3], data: w, version });
    expect(model.format).toBe('npy');
    expect([...model.tensors.keys()]).toEqual(['fc.weight']);
    expect(only(model)).toEqual(bytesOf(w));
    expect(model.matmuls.get('fc.weight')).toEqual({ n: 2, k: 3, layout: 'nk' });
  });

  it.each([
    ['b1', 'BOOL', 1],
    ['i1', 'I8', 1],
    ['u1', 'U8', 1],
    ['i2', 'I16', 2],
    ['u2', 'U16', 2],
    ['i4', 'I32', 4],
    ['u4', 'U32', 4],
    ['i8', 'I64', 8],
    ['u8', 'U64', 8],
    ['f2', 'F16', 2],
    ['f4', 'F32', 4],
    ['f8', 'F64', 8],
    ['c8', 'C64', 8],
  ])('%s of either byte order is %s', (type, dtype, size) => {
    const data = Buffer.from(Array.from({ length: 3 * size }, (_, i) => i + 1));
    const word = type === 'c8' ? 4 : size;
    const swapped = Buffer.concat(
      Array.from({ length: data.length / word }, (_, i) =>
        Buffer.from(data.subarray(i * word, (i + 1) * word)).reverse(),
      ),
    );
    const little = array({ descr: `${size === 1 ? '|' : '<'}${type}`, shape: [3], data });
    expect([...little.tensors.values()][0]).toMatchObject({ dtype, shape: [3], byteLength: data.length });
    expect(only(little)).toEqual(data);
    expect(only(array({ descr: `>${type}`, shape: [3], data }))).toEqual(swapped);
  });

  it("arrays in Fortran's order are presented row-major", () => {
    const model = array({ fortran: true, shape: [2, 3], data: w });
    expect(only(model)).toEqual(bytesOf(Float32Array.of(w[0]!, w[2]!, w[4]!, w[1]!, w[3]!, w[5]!)));
    const cube = array({ fortran: true, descr: '|u1', shape: [2, 2, 2], data: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7) });
    expect([...only(cube)]).toEqual([0, 4, 2, 6, 1, 5, 3, 7]);
  });

  it('headers as other writers space and quote them', () => {
    const headers = [
      `{"shape":(2,3),"fortran_order":False,"descr":"<f4"}`,
      `{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }`,
      `{ 'fortran_order' : False , 'descr' : '<f4' , 'shape' : ( 2 , 3 , ) }   `,
    ];
    for (const header of headers) expect(only(array({ header, data: w }))).toEqual(bytesOf(w));
    const scalar = array({ header: `{'descr': '<f4', 'fortran_order': False, 'shape': (), }`, data: w.subarray(0, 1) });
    expect([...scalar.tensors.values()][0]!.shape).toEqual([]);
  });

  it.each([false, true])('an archive of arrays (compressed: %s), kernels [K, N] and weights [N, K]', (deflate) => {
    const file = (name: string, shape: number[], data: Float32Array): TestZipFile => ({
      name: `${name}.npy`,
      data: npyBytes({ shape, data }),
      deflate,
    });
    const model = open(
      zipBytes([
        file('params/dense/kernel', [2, 3], w),
        file('params/dense/bias', [3], values(3)),
        file('params/embed/kernel', [2, 3], w),
        file('fc.weight', [2, 3], w),
        file('other', [2, 3], values(6, 2)),
      ]),
      'model.npz',
    );
    expect(model.format).toBe('npz');
    expect(Object.fromEntries(model.matmuls)).toEqual({
      'params/dense/kernel': { n: 3, k: 2, layout: 'kn', bias: 'params/dense/bias' },
      'fc.weight': { n: 2, k: 3, layout: 'nk' },
    });
    expect(model.asMatmul('other')).toEqual({ n: 2, k: 3, layout: 'nk' });
    expect(model.asMatmul('params/dense/bias')).toBeUndefined();
    expect(Buffer.from(readTensor(model.tensors.get('other')!))).toEqual(bytesOf(values(6, 2)));
    expect(Buffer.from(readTensor(model.tensors.get('fc.weight')!))).toEqual(bytesOf(w));
  });

  it('a large array in pieces: stored, compressed, transposed', () => {
    const [rows, columns] = [300, 4000];
    const large = values(rows * columns);
    const data = npyBytes({ shape: [columns, rows], fortran: true, data: large });
    for (const deflate of [false, true]) {
      const model = open(zipBytes([{ name: 'a.npy', data, deflate }]), 'model.npz');
      const tensor = model.tensors.get('a')!;
      const expected = new Float32Array(large.length);
      for (let c = 0; c < columns; c++) for (let r = 0; r < rows; r++) expected[c * rows + r] = large[r * columns + c]!;
      // Both at once, and in pieces that begin and end within rows.
      expect(Buffer.from(readTensor(tensor)).equals(bytesOf(expected))).toBe(true);
      const pieces = Buffer.alloc(tensor.byteLength);
      for (let at = 0; at < pieces.length; at += 1_000_008) tensor.readInto(pieces.subarray(at, at + 1_000_008), at);
      expect(pieces.equals(bytesOf(expected))).toBe(true);
    }
  });

  it('converts what is included by name, and the result multiplies', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'model.npz'), zipBytes([{ name: 'w.npy', data: npyBytes({ shape: [2, 3], data: w }) }]));
    expect(inspect(folder).format).toBe('npz');
    const output = join(folder, 'out.safetensors');
    await convert(folder, output, { include: ['w'], scheme: 'float32' });
    const model = loadModel(output);
    expect([...model.linear('w').forward(Float32Array.of(0, 1, 0))]).toEqual([w[1], w[4]]);
    model.close();
  });
});
