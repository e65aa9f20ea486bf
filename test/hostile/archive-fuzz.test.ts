import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../lib/formats/open.js';
import { readTensor } from '../../lib/formats/source.js';
import { QgemmError } from '../../lib/index.js';
import { npyBytes } from '../support/npy.js';
import { Global, pickle, Tuple } from '../support/pickle.js';
import { runs } from '../support/runs.js';
import { temporaryFolder, values } from '../support/safetensors.js';
import { dict, quantized, tensor, torchLegacy, torchZip } from '../support/torch.js';
import { zipBytes } from '../support/zip.js';

/** Opcodes and numbers that decide something, besides any other byte. */
const BYTES = fc.oneof(
  fc.constantFrom(0x00, 0x01, 0x7f, 0x80, 0xff, ...Buffer.from('(.)}]KMJXqhtuseRbQNG{')),
  fc.nat(255),
);

/** A file with some bytes replaced, inserted or removed. */
function mutated(file: Buffer): fc.Arbitrary<Buffer> {
  const change = fc.tuple(fc.nat(file.length), fc.nat(3), fc.array(BYTES, { maxLength: 3 }));
  return fc
    .array(change, { minLength: 1, maxLength: 4 })
    .map((changes) =>
      changes.reduce(
        (bytes, [at, removed, inserted]) =>
          Buffer.concat([bytes.subarray(0, at), Buffer.from(inserted), bytes.subarray(at + removed)]),
        file,
      ),
    );
}

/** What opens must be readable to its last byte, with the size that it says. */
function readsOrRefuses(path: string, bytes: Uint8Array): void {
  writeFileSync(path, bytes);
  try {
    const model = openModel(path);
    for (const found of model.tensors.values()) expect(readTensor(found).length).toBe(found.byteLength);
    for (const { quantized: codes } of model.matmuls.values()) if (codes) readTensor(codes.codes);
    model.close();
  } catch (error) {
    expect(error).toBeInstanceOf(QgemmError);
  }
}

const root = dict({
  state_dict: dict({
    'a.weight': tensor({ elements: 12 }, [3, 4]),
    view: tensor({ elements: 12 }, [2, 3], [1, 4], 1),
    'q.weight': quantized({ key: 'q', type: 'QInt8Storage', elements: 6 }, [2, 3], ...channels()),
  }),
  list: [1, new Tuple(2, 'x'), null, 0.5],
});
const storages = {
  0: values(12),
  q: Int8Array.of(1, 2, 3, 4, 5, 6),
  s: Float64Array.of(0.5, 2),
  z: new BigInt64Array(2),
};

function channels(): [Global, ReturnType<typeof tensor>, ReturnType<typeof tensor>, number] {
  const scales = tensor({ key: 's', type: 'DoubleStorage', elements: 2 }, [2]);
  const zeroPoints = tensor({ key: 'z', type: 'LongStorage', elements: 2 }, [2]);
  return [new Global('torch.per_channel_affine'), scales, zeroPoints, 0];
}

const npy = npyBytes({ shape: [2, 3], fortran: true, data: values(6) });

describe('random changes give a QgemmError or tensors that can be read, never a crash', () => {
  it.each<[string, number, fc.Arbitrary<Buffer>]>([
    ['PyTorch archives', 300, mutated(torchZip(root, storages))],
    ['pickles in sound archives', 600, mutated(pickle(root)).map((changed) => torchZip(changed, storages))],
    ['PyTorch files before 1.6', 300, mutated(torchLegacy(root, storages, { 0: 12, q: 6, s: 2, z: 2 }))],
    ['NumPy arrays', 200, mutated(npy)],
    [
      'archives of arrays',
      200,
      mutated(
        zipBytes([
          { name: 'a.npy', data: npy },
          { name: 'b.npy', data: npy, deflate: true },
        ]),
      ),
    ],
  ])('%s', (_, count, files) => {
    const path = join(temporaryFolder(), 'model');
    fc.assert(
      fc.property(files, (bytes) => readsOrRefuses(path, bytes)),
      { numRuns: runs(count) },
    );
  });

  it('the files that are changed are sound themselves', () => {
    const path = join(temporaryFolder(), 'model');
    for (const bytes of [torchZip(root, storages), torchLegacy(root, storages, { 0: 12, q: 6, s: 2, z: 2 }), npy]) {
      writeFileSync(path, bytes);
      expect(openModel(path).tensors.size).toBeGreaterThan(0);
    }
  });
});
