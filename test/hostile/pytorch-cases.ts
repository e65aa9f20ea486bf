import { Call, Global, opcodes, PersistentId, Tuple, type Pickled } from '../support/pickle.js';
import { values } from '../support/safetensors.js';
import { dict, quantized, storage, tensor, torchFiles, torchLegacy, torchZip } from '../support/torch.js';
import { zipBytes } from '../support/zip.js';
import type { HostileCase } from './safetensors-cases.js';

const FORMAT = 'ERR_QGEMM_FORMAT';
const LIMIT = 'ERR_QGEMM_LIMIT';
const PICKLE = 'ERR_QGEMM_PICKLE';
const DTYPE = 'ERR_QGEMM_DTYPE';

const W = { elements: 4 };
const data = { 0: values(4) };
const file = (root: Pickled | Buffer): Buffer => torchZip(root, data);
const weight = (value: Pickled): Buffer => file(dict({ 'a.weight': value }));
/** A pickle of these opcodes. */
const code = (...parts: (string | number | Uint8Array)[]): Buffer => file(opcodes(...parts));
const repeat = (piece: string, times: number): Buffer => Buffer.from(piece.repeat(times), 'latin1');
const sound = tensor(W, [2, 2]);
const scheme = (name: string): Global => new Global(`torch.${name}`);
const codes = { type: 'QInt8Storage', elements: 4 };
const scales = (type: string, elements: number): Call => tensor({ type, elements }, [elements]);
const rebuild = (...args: Pickled[]): Buffer => weight(new Call('torch._utils._rebuild_tensor_v2', ...args));

/** Pickles that want more than tensors. */
export const pickleCases: HostileCase[] = [
  ...['os.system', 'posix.system', 'builtins.eval', 'builtins.exec', '__builtin__.getattr', 'subprocess.Popen'].map(
    (name) => ({ name: `call of ${name}`, code: PICKLE, bytes: weight(new Call(name, 'echo')) }),
  ),
  { name: 'torch.load itself', code: PICKLE, bytes: weight(new Call('torch.storage._load_from_bytes', 'x')) },
  { name: 'a module of layers', code: PICKLE, bytes: file(new Call('torch.nn.modules.linear.Linear')) },
  { name: 'global __proto__', code: PICKLE, bytes: weight(new Global('__proto__.constructor')) },
  { name: 'global with a name of 1 MB', code: PICKLE, bytes: weight(new Global(`os.${'x'.repeat(2 ** 20)}`)) },
  { name: 'global from the stack', code: PICKLE, bytes: code('X\x02\0\0\0os', 'X\x06\0\0\0system', 0x93, '.') },
  { name: 'name that cannot be called', code: PICKLE, bytes: weight(new Call('torch.float32')) },
  { name: 'call of a string', code: PICKLE, bytes: code('X\x01\0\0\0a', ')R.') },
  { name: 'call with a list', code: PICKLE, bytes: code('ctorch\nSize\n', ']R.') },
  { name: 'INST', code: PICKLE, bytes: code('(ios\nsystem\n.') },
  { name: 'OBJ', code: PICKLE, bytes: code('(cos\nsystem\no.') },
  { name: 'extension registry', code: PICKLE, bytes: code(0x82, 1, '.') },
  { name: 'persistent id as text', code: PICKLE, bytes: code('Pstorage\n.') },
  { name: 'protocol 6', code: PICKLE, bytes: file(Buffer.from([0x80, 6, 0x4e, 0x2e])) },
  { name: 'empty', code: PICKLE, bytes: file(Buffer.alloc(0)) },
  { name: 'without an end', code: PICKLE, bytes: code('N') },
  { name: 'bytes after its end', code: PICKLE, bytes: code('}.N') },
  { name: 'nothing on the stack', code: PICKLE, bytes: code('.') },
  { name: 'tuple of an empty stack', code: PICKLE, bytes: code(0x87, '.') },
  { name: 'mark that was not set', code: PICKLE, bytes: code('Nt.') },
  { name: 'memo that was not set', code: PICKLE, bytes: code('h', 9, '.') },
  { name: 'memo of an empty stack', code: PICKLE, bytes: code('q', 0, '.') },
  { name: 'key without a value', code: PICKLE, bytes: code('}(Nu.') },
  { name: 'items of a list', code: PICKLE, bytes: code('](NNu.') },
  { name: 'append to a dict', code: PICKLE, bytes: code('}Na.') },
  { name: 'attributes of a number', code: PICKLE, bytes: code('K\x01}b.') },
  { name: 'string beyond the file', code: PICKLE, bytes: code('X\xff\xff\xff\xff', 'abc.') },
  { name: 'string of 2^63 bytes', code: PICKLE, bytes: code(0x8d, Buffer.alloc(8, 0x7f), '.') },
  { name: 'string that is not UTF-8', code: PICKLE, bytes: code('X\x02\0\0\0\xff\xfe.') },
  { name: 'integer of -1 bytes', code: PICKLE, bytes: code(0x8b, Buffer.alloc(4, 0xff), '.') },
  { name: 'integer of 1 MB', code: PICKLE, bytes: code(0x8b, Buffer.from([0, 0, 16, 0]), Buffer.alloc(2 ** 20), '.') },
  { name: 'global without a newline', code: PICKLE, bytes: code('ctorch') },
  { name: 'a million marks', code: PICKLE, bytes: code(repeat('(', 1_000_000), '.') },
  { name: 'two million marks', code: LIMIT, bytes: code(repeat('(', 2_000_000), '.') },
  { name: 'eight million values on the stack', code: LIMIT, bytes: code(repeat('N', 8_000_000), '.') },
  { name: 'tuple of values from before a mark', code: PICKLE, bytes: code('NN(', 0x86, '.') },
  { name: 'memo of a value from before a mark', code: PICKLE, bytes: code('N(q', 0, '.') },
  { name: 'result from before a mark', code: PICKLE, bytes: code('N(.') },
  { name: 'a million dicts', code: LIMIT, bytes: code(']', repeat('}a', 1_100_000), '.') },
  { name: 'a million tuples in each other', code: LIMIT, bytes: code('N', repeat('\x85', 1_000_000), '.') },
  { name: 'two million memos', code: LIMIT, bytes: code('N', repeat('\x94', 2_000_000), '.') },
  { name: '400,000 memos far apart', code: LIMIT, bytes: code('N', farApart(400_000), '.') },
  { name: 'a pickle of 17 MB', code: LIMIT, bytes: code(Buffer.alloc(17 * 2 ** 20, 'N'), '.') },
  {
    name: '100 dicts in each other',
    code: LIMIT,
    bytes: code('}', repeat('X\x01\0\0\0a}', 100), repeat('s', 100), '.'),
  },
  { name: 'a dict in itself', code: LIMIT, bytes: code('}q\0X\x01\0\0\0ah\0s.') },
  { name: 'a list in itself', code: LIMIT, bytes: code(']q\0h\0a.') },
  { name: 'lists of the same lists: 2^60 values', code: LIMIT, bytes: code(...doubled(60)) },
  { name: 'key of 2,000 characters', code: LIMIT, bytes: file(dict({ ['k'.repeat(2000)]: sound })) },
  { name: 'OrderedDict of a number', code: PICKLE, bytes: weight(new Call('collections.OrderedDict', 1)) },
  { name: 'OrderedDict of triples', code: PICKLE, bytes: weight(new Call('collections.OrderedDict', [[1, 2, 3]])) },
  { name: 'OrderedDicts made of the same list', code: LIMIT, bytes: code(...copies()) },
];

/** A list of two, memoized, that the next one holds twice, and so on. */
function doubled(levels: number): (string | number | Uint8Array)[] {
  const parts: (string | number | Uint8Array)[] = [']', 'q', 0];
  for (let i = 0; i < levels; i++) parts.push('](', 'h', i, 'h', i, 'e', 'q', i + 1);
  return [...parts, '.'];
}

function copies(): (string | number | Uint8Array)[] {
  const pairs = Buffer.concat(Array.from({ length: 1000 }, (_, i) => Buffer.from([0x4d, i & 255, i >> 8, 0x4e, 0x86])));
  return ['](', pairs, 'eq\0(', repeat('ccollections\nOrderedDict\nh\0\x85R', 2000), 't.'];
}

/** Tensors that their storages do not hold, in archives and in files before 1.6. */
export const checkpointCases: HostileCase[] = [
  { name: 'storage that is missing', code: FORMAT, bytes: weight(tensor({ key: '9', elements: 4 }, [2, 2])) },
  { name: 'storage with too few bytes', code: FORMAT, bytes: weight(tensor({ elements: 5 }, [5])) },
  { name: 'storage key __proto__', code: FORMAT, bytes: weight(tensor({ key: '__proto__', elements: 4 }, [4])) },
  { name: 'storage key with dots', code: FORMAT, bytes: weight(tensor({ key: '../data.pkl', elements: 4 }, [4])) },
  {
    name: 'storage of a class that is none',
    code: FORMAT,
    bytes: weight(tensor({ type: 'float32', elements: 4 }, [4])),
  },
  { name: 'storage of -1 elements', code: FORMAT, bytes: weight(tensor({ elements: -1 }, [0])) },
  { name: 'storage of 2^62 elements', code: FORMAT, bytes: weight(tensor({ elements: 2 ** 62 }, [4])) },
  { name: 'persistent id that is a string', code: FORMAT, bytes: weight(new PersistentId('storage')) },
  { name: 'view beyond its storage', code: FORMAT, bytes: weight(tensor(W, [2, 2], [2, 1], 1)) },
  { name: 'view of 2^53 strides', code: FORMAT, bytes: weight(tensor(W, [2, 2], [2 ** 53 - 1, 1])) },
  { name: 'view with an offset of 2^52', code: FORMAT, bytes: weight(tensor(W, [1], [1], 2 ** 52)) },
  { name: 'negative stride', code: FORMAT, bytes: weight(tensor(W, [2], [-1], 3)) },
  { name: 'negative offset', code: FORMAT, bytes: weight(tensor(W, [2], [1], -1)) },
  { name: 'more strides than dimensions', code: FORMAT, bytes: weight(tensor(W, [4], [1, 1])) },
  { name: '65 dimensions', code: LIMIT, bytes: weight(tensor(W, Array<number>(65).fill(1))) },
  { name: '2^60 elements', code: LIMIT, bytes: weight(tensor(W, [2 ** 30, 2 ** 30], [0, 0])) },
  { name: 'one element 2^30 times', code: LIMIT, bytes: weight(tensor(W, [2 ** 30], [0])) },
  { name: 'fractional dimension', code: FORMAT, bytes: weight(tensor(W, [0.5, 8])) },
  { name: 'shape that is a list', code: FORMAT, bytes: rebuild(storage(W), 0, [2, 2], new Tuple(2, 1)) },
  { name: 'tensor without arguments', code: FORMAT, bytes: rebuild() },
  { name: 'tensor of a tensor', code: FORMAT, bytes: rebuild(sound, 0, new Tuple(4), new Tuple(1)) },
  { name: 'parameter of a string', code: PICKLE, bytes: weight(new Call('torch._utils._rebuild_parameter', 'x')) },
  {
    name: 'tensor made by something else',
    code: PICKLE,
    bytes: weight(new Call('torch._tensor._rebuild_from_type_v2', new Global('torch.Size'), null, new Tuple(), null)),
  },
  {
    name: 'conjugate view',
    code: DTYPE,
    bytes: rebuild(storage(W), 0, new Tuple(4), new Tuple(1), false, new Map(), dict({ conj: true })),
  },
  { name: 'codes without a scale', code: FORMAT, bytes: weight(tensor(codes, [2, 2])) },
  { name: 'scale for floats', code: FORMAT, bytes: weight(quantized(W, [2, 2], scheme('per_tensor_affine'), 0.5, 0)) },
  { name: 'scale of 0', code: FORMAT, bytes: weight(quantized(codes, [2, 2], scheme('per_tensor_affine'), 0, 0)) },
  {
    name: 'zero point of 128',
    code: FORMAT,
    bytes: weight(quantized(codes, [2, 2], scheme('per_tensor_affine'), 0.5, 128)),
  },
  {
    name: 'scheme with float parameters',
    code: DTYPE,
    bytes: weight(quantized(codes, [2, 2], scheme('per_channel_affine_float_qparams'), sound, sound, 0)),
  },
  {
    name: 'zero points that are fractions',
    code: FORMAT,
    bytes: weight(
      quantized(codes, [2, 2], scheme('per_channel_affine'), scales('FloatStorage', 2), scales('FloatStorage', 2), 0),
    ),
  },
  {
    name: 'scales of another number than channels',
    code: FORMAT,
    bytes: weight(
      quantized(codes, [2, 2], scheme('per_channel_affine'), scales('FloatStorage', 3), scales('IntStorage', 3), 0),
    ),
  },
  {
    name: 'scales along axis 7',
    code: FORMAT,
    bytes: weight(
      quantized(codes, [2, 2], scheme('per_channel_affine'), scales('FloatStorage', 2), scales('IntStorage', 2), 7),
    ),
  },
  {
    name: 'scales that are integers',
    code: FORMAT,
    bytes: weight(
      quantized(codes, [2, 2], scheme('per_channel_affine'), scales('IntStorage', 2), scales('IntStorage', 2), 0),
    ),
  },
  {
    name: '2^40 scales for an empty tensor',
    code: LIMIT,
    bytes: weight(
      quantized(
        codes,
        [2 ** 40, 0],
        scheme('per_channel_affine'),
        ...[
          tensor({ type: 'FloatStorage', elements: 1 }, [2 ** 40], [0]),
          tensor({ type: 'IntStorage', elements: 1 }, [2 ** 40], [0]),
        ],
        0,
      ),
    ),
  },
  { name: 'two tensors of one name', code: FORMAT, bytes: file(dict({ 'a.b': sound, a: dict({ b: sound }) })) },
  { name: 'tensor named __metadata__', code: FORMAT, bytes: file(dict({ __metadata__: sound })) },
  { name: 'big-endian archive', code: FORMAT, bytes: byteOrder('big') },
  { name: 'byte order that is none', code: FORMAT, bytes: byteOrder('x'.repeat(100)) },
  { name: 'damaged pickle', code: FORMAT, bytes: zipBytes([{ name: 'a/data.pkl', data: opcodes('}.'), crc: 1 }]) },
  {
    name: 'a bomb for a pickle',
    code: FORMAT,
    bytes: zipBytes([{ name: 'a/data.pkl', data: Buffer.alloc(2 ** 20), deflate: true, size: 500 }]),
  },
  { name: 'before 1.6: cut off in the magic', code: FORMAT, bytes: legacy().subarray(0, 12) },
  { name: 'before 1.6: cut off in the data', code: FORMAT, bytes: legacy().subarray(0, -1) },
  { name: 'before 1.6: cut off in the objects', code: PICKLE, bytes: legacy().subarray(0, 120) },
  { name: 'before 1.6: too long', code: FORMAT, bytes: Buffer.concat([legacy(), Buffer.alloc(1)]) },
  { name: 'before 1.6: storage of 2^63 elements', code: FORMAT, bytes: legacy({ 0: -(2 ** 63) }) },
  {
    name: 'before 1.6: fewer elements than the tensor',
    code: FORMAT,
    bytes: torchLegacy(dict({ a: sound }), { 0: values(3) }, { 0: 3 }),
  },
  { name: 'before 1.6: storage without a tensor', code: FORMAT, bytes: torchLegacy(dict({}), data, { 0: 4 }) },
  { name: 'before 1.6: storage that is missing', code: FORMAT, bytes: torchLegacy(dict({ a: sound }), {}, {}) },
  {
    name: 'before 1.6: call of os.system',
    code: PICKLE,
    bytes: torchLegacy(new Call('os.system', 'echo'), data, { 0: 4 }),
  },
  {
    name: 'before 1.6: view beyond the storage',
    code: FORMAT,
    bytes: torchLegacy(dict({ a: tensor({ elements: 4, view: new Tuple('v', 3, 2) }, [2]) }), data, { 0: 4 }),
  },
  { name: 'before 1.6: another protocol', code: FORMAT, bytes: anotherProtocol() },
];

/** Memos at every second number, the last first. */
function farApart(count: number): Buffer {
  const bytes = Buffer.alloc(5 * count, 'r');
  for (let i = 0; i < count; i++) bytes.writeUInt32LE(2 * (count - i), 5 * i + 1);
  return bytes;
}

function byteOrder(order: string): Buffer {
  return zipBytes(
    torchFiles(dict({ a: sound }), data).map((entry) =>
      entry.name === 'archive/byteorder' ? { ...entry, data: Buffer.from(order) } : entry,
    ),
  );
}

function legacy(elements: Record<string, number> = { 0: 4 }): Buffer {
  return torchLegacy(dict({ 'a.weight': sound }), data, elements);
}

function anotherProtocol(): Buffer {
  const bytes = legacy();
  bytes[15 + 3] = 0;
  return bytes;
}
