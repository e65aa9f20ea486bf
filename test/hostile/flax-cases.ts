import { array, binary, chunked, ext, map, ndarray, numbered, pack, text, type Pack } from '../support/flax.js';
import { values } from '../support/safetensors.js';
import type { HostileCase } from './safetensors-cases.js';

const FORMAT = 'ERR_QGEMM_FORMAT';
const LIMIT = 'ERR_QGEMM_LIMIT';
const DTYPE = 'ERR_QGEMM_DTYPE';

const four = values(4);
const good = ndarray([4], four);
const sound = pack({ params: { kernel: good } });

const file = (name: string, code: string, root: Pack): HostileCase => ({ name, code, bytes: pack(root) });
const cut = (name: string, length: number): HostileCase => ({ name, code: FORMAT, bytes: sound.subarray(0, length) });
/** One array, or what is in its place. */
const value = (name: string, code: string, found: Pack): HostileCase => file(name, code, { params: { kernel: found } });
/** An ndarray whose content is these values. */
const content = (name: string, code: string, ...parts: Pack[]): HostileCase => value(name, code, ext(1, array(parts)));
/** Beginning of a value whose length has four bytes. */
const long = (type: number, length: number): Buffer =>
  Buffer.of(type, ...Buffer.from(length.toString(16).padStart(8, '0'), 'hex'));

const bytes16 = binary(Buffer.alloc(16));
const chunk = ndarray([2], four.subarray(0, 2));

function nested(depth: number): Buffer {
  const levels = Array.from({ length: depth }, () => Buffer.concat([Buffer.of(0x81), text('level')]));
  return Buffer.concat([...levels, good]);
}

function manyValues(): Buffer {
  return map(['params', Buffer.concat([long(0xdd, 1_000_001), Buffer.alloc(1_000_001, 0xc0)])]);
}

/** Keys of 1,000 bytes that are all in the names of many arrays. */
function longNames(): Buffer {
  const empty = ndarray([0], new Float32Array(0));
  const leaves = Array.from({ length: 20_000 }, (_, i) => [`${i}`, empty]).flat();
  return map(['x'.repeat(1000), map(leaves)]);
}

/** One case for each way in which a Flax checkpoint can lie. */
export const flaxCases: HostileCase[] = [
  cut('cut off in a key', 6),
  cut('cut off after a key', 8),
  cut('cut off before the shape', 19),
  cut('cut off in the dtype', 26),
  cut('cut off in an array', sound.length - 1),
  { name: 'bytes behind the end', code: FORMAT, bytes: Buffer.concat([sound, Buffer.of(0xc0)]) },
  { name: 'two checkpoints in one', code: FORMAT, bytes: Buffer.concat([sound, sound]) },
  file('fewer pairs than it says', FORMAT, map(['params', good], 15)),
  file('2^32 - 1 pairs', FORMAT, Buffer.concat([long(0xdf, 2 ** 32 - 1), text('params'), good])),
  value('a list of 2^32 - 1 values', FORMAT, long(0xdd, 2 ** 32 - 1)),
  value('a text of 2^32 - 1 bytes', FORMAT, long(0xdb, 2 ** 32 - 1)),
  value('bytes of 2^32 - 1', FORMAT, long(0xc6, 2 ** 32 - 1)),
  value('an array of 2^32 - 1 bytes', FORMAT, Buffer.concat([long(0xc9, 2 ** 32 - 1), Buffer.of(1)])),
  value('the byte that means nothing', FORMAT, Buffer.of(0xc1)),
  file('a key that is a number', FORMAT, map(['params', map([1, good])])),
  file('a key that is bytes', FORMAT, map(['params', map([binary(Buffer.from('kernel')), good])])),
  file('a key that is not UTF-8', FORMAT, map(['params', map([text(Buffer.of(0x6b, 0xff)), good])])),
  file('a surrogate in a key', FORMAT, map([text(Buffer.of(0x6b, 0xed, 0xa0, 0x80)), good])),
  file('a text that is not UTF-8', FORMAT, map(['name', text(Buffer.of(0xc0, 0xaf))])),
  file('a key twice', FORMAT, map(['kernel', good, 'kernel', good])),
  file('a map twice', FORMAT, map(['params', map(['a', good]), 'params', map(['b', good])])),
  file('__proto__ twice', FORMAT, map(['__proto__', good, '__proto__', good])),
  file('two ways to one name', FORMAT, { 'params/a': good, params: { a: good } }),
  file('an array named __metadata__', FORMAT, { __metadata__: good }),
  file('a key of 1,025 bytes', LIMIT, { ['k'.repeat(1025)]: good }),
  file('a key of 2^24 bytes', LIMIT, { ['k'.repeat(2 ** 24)]: good }),
  file('20,000 names of 1,000 bytes', LIMIT, longNames()),
  file('a million values and one', LIMIT, manyValues()),
  file('maps nested 65 deep', LIMIT, nested(65)),
  file('maps nested 100,000 deep', LIMIT, nested(100_000)),
  value('lists nested 100,000 deep', LIMIT, Buffer.alloc(100_000, 0x91)),
  value('ext type 4', FORMAT, ext(4, Buffer.alloc(4))),
  value('ext type -1, a time', FORMAT, ext(255, Buffer.alloc(4))),
  value('a complex number of one part', FORMAT, ext(2, array([0.5]))),
  value('a complex number of texts', FORMAT, ext(2, array(['a', 'b']))),
  value('a complex number shorter than its bytes', FORMAT, ext(2, Buffer.concat([array([0.5, 0.5]), Buffer.of(0)]))),
  content('an array of two parts', FORMAT, array([4]), 'float32'),
  content('an array of four parts', FORMAT, array([4]), 'float32', bytes16, 0),
  content('a shape that is a number', FORMAT, 4, 'float32', bytes16),
  content('a shape of texts', FORMAT, array(['4']), 'float32', bytes16),
  content('a negative shape', FORMAT, array([-4]), 'float32', bytes16),
  content('a shape of 65 dimensions', LIMIT, array(Array<number>(65).fill(1)), 'float32', bytes16),
  content('2^60 elements', LIMIT, array([2 ** 30, 2 ** 30]), 'float32', bytes16),
  content('a dimension of 2^60', LIMIT, array([2 ** 60]), 'float32', bytes16),
  content('2^40 elements in 16 bytes', FORMAT, array([2 ** 40]), 'float32', bytes16),
  content('fewer bytes than its shape', FORMAT, array([5]), 'float32', bytes16),
  content('more bytes than its shape', FORMAT, array([3]), 'float32', bytes16),
  content('a text for its bytes', FORMAT, array([4]), 'float32', text('x'.repeat(16))),
  content('a dtype of Python objects', DTYPE, array([2]), 'object', bytes16),
  content('a dtype of NumPy alone', DTYPE, array([1]), 'complex128', bytes16),
  content('a dtype that is an expression', DTYPE, array([4]), '__import__("os")', bytes16),
  content('a dtype of 65 characters', LIMIT, array([4]), 'f'.repeat(65), bytes16),
  content('a dtype that is a number', FORMAT, array([4]), 4, bytes16),
  value(
    'content that ends before its ext',
    FORMAT,
    ext(1, Buffer.concat([array([array([4]), 'float32', bytes16]), Buffer.alloc(1)])),
  ),
  value(
    'content that ends after its ext',
    FORMAT,
    Buffer.concat([ext(1, array([array([4]), 'float32', binary(Buffer.alloc(0), 16)])), Buffer.alloc(16)]),
  ),
  value('chunks with fewer bytes than the shape', FORMAT, chunked([5], [chunk, chunk])),
  value('chunks with more bytes than the shape', FORMAT, chunked([3], [chunk, chunk])),
  value('fewer chunks than it says', FORMAT, chunked([4], [], { chunks: map(['0', chunk], 2) })),
  value('no chunks', FORMAT, chunked([0], [])),
  value('chunks in another order', FORMAT, chunked([4], [], { chunks: map(['1', chunk, '0', chunk]) })),
  value('the same chunk twice', FORMAT, chunked([4], [], { chunks: map(['0', chunk, '0', chunk]) })),
  value('chunks of two dtypes', FORMAT, chunked([4], [chunk, ndarray([2], four.subarray(0, 2), 'int32')])),
  value('chunks that are matrices', FORMAT, chunked([4], [ndarray([1, 2], four.subarray(0, 2)), chunk])),
  value('chunks that are scalars', FORMAT, chunked([2], [ndarray([2], four.subarray(0, 2), 'float32', 3)])),
  value('chunks that are a list', FORMAT, chunked([4], [], { chunks: array([chunk, chunk]) })),
  value('2^32 - 1 chunks', FORMAT, chunked([4], [], { chunks: long(0xdf, 2 ** 32 - 1) })),
  value('4,097 chunks', LIMIT, chunked([4], Array<Buffer>(4097).fill(chunk))),
  value('a chunked shape of 65 dimensions', LIMIT, chunked(Array<number>(65).fill(1), [chunk])),
  value(
    'a chunked array without a shape',
    FORMAT,
    map(['__msgpack_chunked_array__', true, 'chunks', numbered([chunk])]),
  ),
  value(
    'a chunked array with chunks twice',
    FORMAT,
    map(['__msgpack_chunked_array__', true, 'chunks', numbered([chunk]), 'chunks', numbered([chunk])]),
  ),
  value('a chunked array with another key', FORMAT, chunked([2], [chunk], { more: 1 })),
  value(
    'a chunked array marked last',
    FORMAT,
    map(['shape', numbered([2]), 'chunks', numbered([chunk]), '__msgpack_chunked_array__', true]),
  ),
  value('chunked arrays in each other', FORMAT, chunked([4], [chunked([2], [chunk]), chunk])),
];
