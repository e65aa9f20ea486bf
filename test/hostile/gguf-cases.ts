import { array, ggufBytes, kv, text, u32, u64, type TestGguf, type TestGgufTensor } from '../support/gguf.js';
import type { HostileCase } from './safetensors-cases.js';

const FORMAT = 'ERR_QGEMM_FORMAT';
const LIMIT = 'ERR_QGEMM_LIMIT';
const DTYPE = 'ERR_QGEMM_DTYPE';

const four = new Float32Array(4);
const good: TestGgufTensor = { name: 'a', dims: [4], data: four };

const file = (name: string, code: string, contents: TestGguf): HostileCase => ({
  name,
  code,
  bytes: ggufBytes(contents),
});
/** One key before a sound tensor. */
const key = (name: string, code: string, ...keys: Buffer[]): HostileCase => file(name, code, { keys, tensors: [good] });
/** One tensor that lies. */
const tensor = (name: string, code: string, changes: Partial<TestGgufTensor>): HostileCase =>
  file(name, code, { tensors: [{ ...good, ...changes }] });
const cut = (name: string, length: number): HostileCase => ({
  name,
  code: FORMAT,
  bytes: ggufBytes({ keys: [kv('general.name', 8, text('x'))], tensors: [good] }).subarray(0, length),
});

const alignment = (value: number): Buffer => kv('general.alignment', 4, u32(value));
const nested = (depth: number): Buffer => {
  let value = array(0, 1, Buffer.alloc(1));
  for (let i = 1; i < depth; i++) value = array(9, 1, value);
  return value;
};

function withNameLength(length: bigint): Buffer {
  const bytes = ggufBytes({ tensors: [good] });
  bytes.writeBigUInt64LE(length, 24);
  return bytes;
}

/** One case for each way in which a GGUF file can lie. */
export const ggufCases: HostileCase[] = [
  cut('magic only', 4),
  cut('no counts', 8),
  cut('half a count', 20),
  cut('no keys', 24),
  cut('key cut off', 36),
  cut('value cut off', 56),
  cut('tensor cut off', 75),
  cut('data cut off', 100),
  file('version 1', FORMAT, { version: 1, tensors: [good] }),
  file('version 4', FORMAT, { version: 4, tensors: [good] }),
  file('big-endian version 3', FORMAT, { version: 3 * 2 ** 24, tensors: [good] }),
  file('2^64 - 1 tensors', LIMIT, { tensors: [good], tensorCount: 2n ** 64n - 1n }),
  file('65,537 tensors', LIMIT, { tensors: [good], tensorCount: 65_537 }),
  file('more tensors than there are', FORMAT, { tensors: [good], tensorCount: 3 }),
  file('2^64 - 1 keys', LIMIT, { tensors: [good], keyCount: 2n ** 64n - 1n }),
  file('more keys than there are', FORMAT, { tensors: [good], keyCount: 60_000 }),
  key('key longer than the file', FORMAT, Buffer.concat([u64(2 ** 20), Buffer.from('k'), u32(0), Buffer.alloc(1)])),
  key('key of 2^64 - 1 bytes', FORMAT, Buffer.concat([u64(2n ** 64n - 1n), Buffer.from('k')])),
  key('key of 65,536 bytes', LIMIT, kv('k'.repeat(65_536), 0, Buffer.alloc(1))),
  key('key that is not UTF-8', FORMAT, kv(Buffer.from([0x6b, 0xff]), 0, Buffer.alloc(1))),
  key('key twice', FORMAT, kv('k', 0, Buffer.alloc(1)), kv('k', 4, u32(1))),
  key('__proto__ twice', FORMAT, kv('__proto__', 0, Buffer.alloc(1)), kv('__proto__', 0, Buffer.alloc(1))),
  key('value of type 13', FORMAT, kv('k', 13, Buffer.alloc(8))),
  key('value of type 2^32 - 1', FORMAT, kv('k', 2 ** 32 - 1, Buffer.alloc(8))),
  key('bool that is 2', FORMAT, kv('k', 7, Buffer.from([2]))),
  key('string longer than the file', FORMAT, kv('k', 8, text('x', 1000))),
  key('string of 2^63 bytes', FORMAT, kv('k', 8, text('x', 2n ** 63n))),
  key('string just over the cap', LIMIT, kv('k', 8, text('x'.repeat(2 ** 20 + 1)))),
  key('string that is not UTF-8', FORMAT, kv('k', 8, text(Buffer.from([0xc0, 0xaf])))),
  key('surrogate in UTF-8', FORMAT, kv('k', 8, text(Buffer.from([0xed, 0xa0, 0x80])))),
  key('array longer than the file', FORMAT, kv('k', 9, array(4, 1000, u32(1)))),
  key('array of 2^64 - 1 elements', FORMAT, kv('k', 9, array(12, 2n ** 64n - 1n))),
  key('array whose bytes overflow 2^64', FORMAT, kv('k', 9, array(12, 2n ** 61n, u64(0)))),
  key('array of 2^64 - 1 strings', FORMAT, kv('k', 9, array(8, 2n ** 64n - 1n, text('x')))),
  key('array with a string longer than the file', FORMAT, kv('k', 9, array(8, 100, text('x', 2n ** 62n)))),
  key('array of type 13', FORMAT, kv('k', 9, array(13, 0))),
  key('array with a bool that is 3', FORMAT, kv('k', 9, array(7, 1, Buffer.from([3])))),
  key('arrays nested five deep', LIMIT, kv('k', 9, nested(5))),
  key('arrays nested 100,000 deep', LIMIT, kv('k', 9, nested(100_000))),
  key('array of 2^64 - 1 arrays', FORMAT, kv('k', 9, array(9, 2n ** 64n - 1n, array(0, 0)))),
  key('header beyond the cap', LIMIT, kv('k', 9, array(0, 33 * 2 ** 20, Buffer.alloc(33 * 2 ** 20)))),
  key('alignment 0', FORMAT, alignment(0)),
  key('alignment 24', FORMAT, alignment(24)),
  key('alignment 2^32 - 1', FORMAT, alignment(2 ** 32 - 1)),
  key('alignment that puts the data beyond the file', FORMAT, alignment(2 ** 31)),
  key('alignment that is a string', FORMAT, kv('general.alignment', 8, text('32'))),
  key('alignment of 64 bits', FORMAT, kv('general.alignment', 10, u64(32))),
  key('alignment that is a long array', FORMAT, kv('general.alignment', 9, array(0, 100, Buffer.alloc(100)))),
  { name: 'tensor name longer than the file', code: FORMAT, bytes: withNameLength(1000n) },
  { name: 'tensor name of 2^64 - 1 bytes', code: FORMAT, bytes: withNameLength(2n ** 64n - 1n) },
  tensor('tensor name of 1,025 bytes', LIMIT, { name: 'n'.repeat(1025) }),
  tensor('tensor name that is not UTF-8', FORMAT, { name: Buffer.from([0x80]) }),
  file('tensor twice', FORMAT, { tensors: [good, good] }),
  file('tensor __proto__ twice', FORMAT, {
    tensors: [
      { ...good, name: '__proto__' },
      { ...good, name: '__proto__' },
    ],
  }),
  tensor('5 dimensions', LIMIT, { dims: [1, 1, 1, 1, 4] }),
  tensor('2^32 - 1 dimensions', LIMIT, { rank: 2 ** 32 - 1 }),
  tensor('dimension 2^64 - 1', LIMIT, { dims: [2n ** 64n - 1n] }),
  tensor('shape whose product overflows to 0', LIMIT, { dims: [2 ** 32, 2 ** 32] }),
  tensor('shape whose product overflows 2^53', LIMIT, { dims: [2 ** 27, 2 ** 27] }),
  tensor('type 7000', FORMAT, { type: 7000 }),
  tensor('type that is no longer used', DTYPE, { type: 4 }),
  tensor('type Q8_1, of activations', DTYPE, { type: 9 }),
  tensor('row that is no multiple of a block', FORMAT, { type: 8, dims: [33] }),
  tensor('row that is no multiple of a large block', FORMAT, { type: 12, dims: [32, 8], data: new Uint8Array(144) }),
  tensor('scalar of a block type', FORMAT, { type: 8, dims: [] }),
  tensor('more data than the file has', FORMAT, { dims: [1000] }),
  tensor('more blocks than the file has', FORMAT, { type: 12, dims: [256, 2], data: new Uint8Array(144) }),
  tensor('offset beyond the file', FORMAT, { offset: 2 ** 20 }),
  tensor('offset 2^64 - 32', FORMAT, { offset: 2n ** 64n - 32n }),
  tensor('offset that is not aligned', FORMAT, { offset: 4 }),
  file('overlapping tensors', FORMAT, {
    tensors: [
      { ...good, dims: [16], data: new Float32Array(16) },
      { ...good, name: 'b', offset: 32 },
    ],
  }),
  file('two tensors in the same place', FORMAT, { tensors: [good, { ...good, name: 'b', offset: 0 }] }),
];
