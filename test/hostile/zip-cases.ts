import { npyBytes } from '../support/npy.js';
import { values } from '../support/safetensors.js';
import { zipBytes, type TestZipFile } from '../support/zip.js';
import type { HostileCase } from './safetensors-cases.js';

const FORMAT = 'ERR_QGEMM_FORMAT';
const LIMIT = 'ERR_QGEMM_LIMIT';
const DTYPE = 'ERR_QGEMM_DTYPE';

const array = npyBytes({ shape: [2, 2], data: values(4) });
const file = (changes: Partial<TestZipFile> = {}): TestZipFile => ({ name: 'a.npy', data: array, ...changes });
const one = (changes: Partial<TestZipFile>): Buffer => zipBytes([file(changes)]);
const sound = one({});
const zip64Field = (...sizes: bigint[]): Buffer => {
  const field = Buffer.alloc(4 + 8 * sizes.length);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(8 * sizes.length, 2);
  sizes.forEach((size, i) => field.writeBigUInt64LE(size, 4 + 8 * i));
  return field;
};

/** Zip archives, and arrays in them. */
export const zipCases: HostileCase[] = [
  { name: 'cut off', code: FORMAT, bytes: sound.subarray(0, -1) },
  { name: 'cut off in the middle', code: FORMAT, bytes: sound.subarray(0, sound.length / 2) },
  { name: 'bytes behind the end', code: FORMAT, bytes: Buffer.concat([sound, Buffer.alloc(1)]) },
  { name: 'bytes before the start of its directory', code: FORMAT, bytes: zipBytes([file()], { directoryOffset: 7 }) },
  { name: 'directory beyond the file', code: FORMAT, bytes: zipBytes([file()], { directoryOffset: 2 ** 31 }) },
  { name: 'more files than it has', code: FORMAT, bytes: zipBytes([file()], { count: 2 }) },
  { name: 'fewer files than it has', code: FORMAT, bytes: zipBytes([file()], { count: 0 }) },
  { name: '65,534 files in 60 bytes', code: FORMAT, bytes: zipBytes([file()], { count: 65_534 }) },
  { name: '2^52 files', code: FORMAT, bytes: zipBytes([file()], { count: 2 ** 52, zip64: true }) },
  {
    name: 'a directory of 2^40 bytes',
    code: FORMAT,
    bytes: zipBytes([file()], { directorySize: 2 ** 40, zip64: true }),
  },
  {
    name: 'zip64 end record that is none',
    code: FORMAT,
    bytes: damaged(zipBytes([file()], { zip64: true }), 0x06064b50),
  },
  { name: 'files in another archive of several', code: FORMAT, bytes: severalVolumes() },
  { name: 'the same name twice', code: FORMAT, bytes: zipBytes([file(), file()]) },
  { name: 'two names for the same bytes', code: FORMAT, bytes: zipBytes([file(), file({ name: 'b.npy', offset: 0 })]) },
  { name: 'local header elsewhere', code: FORMAT, bytes: one({ offset: 1 }) },
  { name: 'local header beyond the file', code: FORMAT, bytes: one({ offset: 2 ** 32 - 2 }) },
  {
    name: 'local header at 2^60',
    code: FORMAT,
    bytes: one({ offset: 2 ** 32 - 1, extra: zip64Field(2n ** 60n) }),
  },
  { name: 'zip64 size without the size', code: FORMAT, bytes: one({ size: 2 ** 32 - 1 }) },
  { name: 'another name in the local header', code: FORMAT, bytes: one({ localName: 'b.npy' }) },
  { name: 'another size in the local header', code: FORMAT, bytes: one({ localSize: 7 }) },
  { name: 'another method in the local header', code: FORMAT, bytes: one({ localMethod: 8 }) },
  { name: 'encrypted', code: FORMAT, bytes: one({ flags: 0x801 }) },
  { name: 'unknown method of compression', code: FORMAT, bytes: one({ method: 12 }) },
  { name: 'stored with two sizes', code: FORMAT, bytes: one({ size: array.length + 1 }) },
  { name: 'data beyond the directory', code: FORMAT, bytes: one({ size: 10_000, compressedSize: 10_000 }) },
  { name: 'name that is not UTF-8', code: FORMAT, bytes: one({ name: Buffer.from([0xff, 0x2e, 0x6e, 0x70, 0x79]) }) },
  { name: 'neither checkpoint nor arrays', code: FORMAT, bytes: one({ name: 'a.txt' }) },
  { name: 'without files', code: FORMAT, bytes: Buffer.concat([Buffer.from('PK\x03\x04'), zipBytes([])]) },
  { name: 'a bomb that says its size', code: FORMAT, bytes: one({ deflate: true, size: 2 ** 28 }) },
  { name: 'a bomb of 4 GB', code: LIMIT, bytes: one({ deflate: true, size: 2 ** 32 - 2 }) },
  { name: 'damaged deflate data', code: FORMAT, bytes: one({ method: 8, data: Buffer.alloc(200, 0xff) }) },
  { name: 'a tensor named __metadata__', code: FORMAT, bytes: one({ name: '__metadata__.npy' }) },
];

function damaged(bytes: Buffer, signature: number): Buffer {
  const mark = Buffer.alloc(4);
  mark.writeUInt32LE(signature);
  bytes[bytes.indexOf(mark)] = 0;
  return bytes;
}

function severalVolumes(): Buffer {
  const bytes = Buffer.from(sound);
  bytes[bytes.length - 22 + 4] = 1;
  return bytes;
}

const npy = (header: string, data = values(4)): Buffer => npyBytes({ header, data });

export const npyCases: HostileCase[] = [
  { name: 'cut off', code: FORMAT, bytes: array.subarray(0, -1) },
  { name: 'cut off in the header', code: FORMAT, bytes: array.subarray(0, 40) },
  { name: 'only the magic bytes', code: FORMAT, bytes: array.subarray(0, 8) },
  { name: 'too long', code: FORMAT, bytes: Buffer.concat([array, Buffer.alloc(1)]) },
  { name: 'version 4', code: FORMAT, bytes: npyBytes({ shape: [4], data: values(4), version: [4, 0] }) },
  { name: 'header beyond the file', code: FORMAT, bytes: npyBytes({ shape: [4], headerLength: 9000 }) },
  { name: 'header of 4 GB', code: LIMIT, bytes: npyBytes({ shape: [4], version: [2, 0], headerLength: 2 ** 32 - 1 }) },
  { name: 'objects of Python', code: DTYPE, bytes: npyBytes({ descr: '|O', shape: [4], data: values(4) }) },
  { name: 'strings', code: DTYPE, bytes: npyBytes({ descr: '<U4', shape: [1], data: values(4) }) },
  { name: 'unknown byte order', code: DTYPE, bytes: npyBytes({ descr: '=f4', shape: [4], data: values(4) }) },
  {
    name: 'records',
    code: DTYPE,
    bytes: npy(`{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }`),
  },
  { name: 'header without shape', code: FORMAT, bytes: npy(`{'descr': '<f4', 'fortran_order': False, }`) },
  {
    name: 'shape twice',
    code: FORMAT,
    bytes: npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'shape': (4,), }`),
  },
  {
    name: 'another key',
    code: FORMAT,
    bytes: npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (4,), '__class__': 'x', }`),
  },
  {
    name: 'expression for a shape',
    code: FORMAT,
    bytes: npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os').getpid(),), }`),
  },
  { name: 'negative shape', code: FORMAT, bytes: npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }`) },
  { name: 'order that is a number', code: FORMAT, bytes: npy(`{'descr': '<f4', 'fortran_order': 0, 'shape': (4,), }`) },
  {
    name: 'text after the header',
    code: FORMAT,
    bytes: npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (4,), } 1`),
  },
  { name: '65 dimensions', code: LIMIT, bytes: npyBytes({ shape: Array<number>(65).fill(1), data: values(1) }) },
  { name: '2^60 elements', code: LIMIT, bytes: npyBytes({ shape: [2 ** 30, 2 ** 30] }) },
  { name: '2^40 elements', code: FORMAT, bytes: npyBytes({ shape: [2 ** 40] }) },
];
