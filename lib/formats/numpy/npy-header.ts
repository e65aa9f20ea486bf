import { QgemmError, show } from '../../errors.js';
import { dtypeBytes, elementsOf, type Dtype } from '../dtypes.js';
import { MAX_NPY_HEADER_BYTES, MAX_RANK } from '../limits.js';

/** What a .npy file says about its array. */
export interface NpyHeader {
  readonly dtype: Dtype;
  readonly bigEndian: boolean;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** Bytes before the array. */
  readonly dataOffset: number;
  /** Bytes of the array. */
  readonly byteLength: number;
}

const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59); // \x93NUMPY
/** Magic, version, length of 2 bytes in version 1, of 4 in versions 2 and 3. */
const PREFIX_BYTES = { short: 10, long: 12 } as const;

/** Enough to read any header that is allowed. */
export const NPY_START_BYTES: number = PREFIX_BYTES.long + MAX_NPY_HEADER_BYTES;

const DTYPES: ReadonlyMap<string, Dtype> = new Map<string, Dtype>([
  ['b1', 'BOOL'],
  ['i1', 'I8'],
  ['u1', 'U8'],
  ['i2', 'I16'],
  ['u2', 'U16'],
  ['i4', 'I32'],
  ['u4', 'U32'],
  ['i8', 'I64'],
  ['u8', 'U64'],
  ['f2', 'F16'],
  ['f4', 'F32'],
  ['f8', 'F64'],
  ['c8', 'C64'],
]);

const KEYS = ['descr', 'fortran_order', 'shape'];
/** A Python string without escapes, a bool, or a tuple of integers (Python 2 wrote 3L). */
const ENTRY =
  /\s*(['"])(?<key>\w*)\1\s*:\s*(?:(['"])(?<text>[^'"\\]*)\3|(?<bool>True|False)|\((?<tuple>(?:\s*\d{1,16}L?\s*,)*(?:\s*\d{1,16}L?)?)\s*\))\s*(?<end>,\s*\}|,|\})/y;
const DESCRIPTION = /^([<>|=])([a-z]\d+)$/;

export function isNpy(start: Uint8Array): boolean {
  return MAGIC.every((byte, i) => start[i] === byte);
}

/**
 * Reads the header of a .npy file, versions 1.0 to 3.0 (NumPy, NEP 1): a Python dict literal of three keys, which is matched
 * against what NumPy writes and never evaluated.
 *
 * @param what names the array in errors
 * @param start the first bytes of the file, {@link NPY_START_BYTES} of them or all
 * @throws QgemmError FORMAT, LIMIT, DTYPE
 */
export function readNpyHeader(what: string, start: Uint8Array): NpyHeader {
  if (!isNpy(start) || start.length < PREFIX_BYTES.long) {
    throw formatError(what, 'must start with the magic bytes of a .npy file and a header');
  }
  const [major, minor] = [start[6]!, start[7]!];
  if (major < 1 || major > 3 || minor !== 0) {
    throw formatError(what, `must have version 1.0, 2.0 or 3.0, got ${major}.${minor}`);
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const prefix = major === 1 ? PREFIX_BYTES.short : PREFIX_BYTES.long;
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_NPY_HEADER_BYTES) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `${what} must have a header of at most ${MAX_NPY_HEADER_BYTES} bytes, got ${length}`,
    );
  }
  if (prefix + length > start.length) throw formatError(what, `must hold its header of ${length} bytes`);
  const text = Buffer.from(start.buffer, start.byteOffset + prefix, length).toString('latin1');
  return { ...describe(what, entriesOf(what, text)), dataOffset: prefix + length };
}

function entriesOf(what: string, text: string): Map<string, string> {
  const entries = new Map<string, string>();
  let position = /^\s*\{/.exec(text)?.[0].length ?? -1;
  for (let end = ''; !end.endsWith('}');) {
    ENTRY.lastIndex = position;
    const groups = position < 0 ? undefined : ENTRY.exec(text)?.groups;
    if (groups === undefined) throw unreadable(what, text);
    const key = groups['key']!;
    if (!KEYS.includes(key) || entries.has(key)) {
      throw formatError(what, `must have a header of ${KEYS.join(', ')}, each once, but has ${show(key)}`);
    }
    entries.set(key, groups['text'] ?? groups['bool'] ?? `(${groups['tuple']})`);
    end = groups['end']!;
    position = ENTRY.lastIndex;
  }
  if (text.slice(position).trim() !== '' || entries.size !== KEYS.length) throw unreadable(what, text);
  return entries;
}

/** Arrays of records and Python objects have another header; NumPy reads the latter by running a pickle. */
function unreadable(what: string, text: string): QgemmError {
  if (/['"]descr['"]\s*:\s*\[/.test(text)) {
    return new QgemmError('ERR_QGEMM_DTYPE', `${what} must be an array of numbers, but is one of records`);
  }
  return formatError(what, `must have a header of ${KEYS.join(', ')}, got ${show(text.trim())}`);
}

function describe(what: string, entries: ReadonlyMap<string, string>): Omit<NpyHeader, 'dataOffset'> {
  const [descr, order, tuple] = KEYS.map((key) => entries.get(key)!) as [string, string, string];
  const [, byteOrder, type] = DESCRIPTION.exec(descr) ?? [];
  const dtype = DTYPES.get(type ?? '');
  if (dtype === undefined || byteOrder === '=') {
    throw new QgemmError(
      'ERR_QGEMM_DTYPE',
      `${what} must be an array of integers, floats, bools or complex64 numbers, got ${show(descr)}`,
    );
  }
  if ((order !== 'True' && order !== 'False') || !tuple.startsWith('(')) {
    throw formatError(what, `must have fortran_order True or False and a shape, got ${show(order)} and ${show(tuple)}`);
  }
  const shape = [...tuple.matchAll(/\d+/g)].map(([digits]) => Number(digits));
  if (shape.length > MAX_RANK) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${what} must have at most ${MAX_RANK} dimensions, got ${shape.length}`);
  }
  const byteLength = dtypeBytes(dtype, elementsOf(shape));
  if (byteLength === undefined || !shape.every(Number.isSafeInteger)) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${what} must have fewer than 2^50 elements, got ${show(shape)}`);
  }
  return { dtype, bigEndian: byteOrder === '>', fortranOrder: order === 'True', shape, byteLength };
}

function formatError(what: string, problem: string): QgemmError {
  return new QgemmError('ERR_QGEMM_FORMAT', `${what} ${problem}`);
}
