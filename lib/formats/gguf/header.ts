import { QgemmError, show } from '../../errors.js';
import { elementsOf } from '../dtypes.js';
import type { ByteSource } from '../file.js';
import { GgufCursor } from './cursor.js';
import { GGUF_TYPE_NAMES, ggufTypeById, unreadGgufType, type GgufType } from './types.js';
import { GGUF_UINT32, readGgufValue, showGgufValue, type GgufValue } from './values.js';
import { MAX_GGUF_KEYS, MAX_GGUF_NAME_BYTES, MAX_GGUF_TENSORS } from '../limits.js';

/** A key of a GGUF file and its value. */
export interface GgufEntry {
  readonly value: GgufValue;
  /** Where key, type and value lie in the file, for whoever copies them. */
  readonly offset: number;
  readonly byteLength: number;
}

/** One tensor as a GGUF header describes it, with its place in the file. */
export interface GgufTensorEntry {
  readonly type: GgufType;
  /** Slowest dimension first, as in safetensors: the file has them the other way round. */
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface GgufHeader {
  readonly version: number;
  readonly keys: ReadonlyMap<string, GgufEntry>;
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, GgufTensorEntry>;
}

export const GGUF_MAGIC = 0x46554747; // "GGUF"

export function isGguf(start: Uint8Array): boolean {
  return start.length >= 4 && Buffer.from(start.buffer, start.byteOffset).readUInt32LE() === GGUF_MAGIC;
}

export const GGUF_DEFAULT_ALIGNMENT = 32;
export const GGUF_MAX_RANK = 4;
export const GGUF_ALIGNMENT_KEY = 'general.alignment';
const MAX_KEY_BYTES = 2 ** 16 - 1; // of the specification

/**
 * Reads and validates the header of a GGUF file, version 2 or 3, little-endian: keys with values of 13 types, then the
 * tensors. Names are unique, sizes match shapes and types, data is aligned, inside the file and without overlaps, so that
 * everything behind this function may trust the entries.
 *
 * @throws QgemmError FORMAT where the file breaks the format, LIMIT where it is beyond a cap of limits.ts, DTYPE for a
 * tensor of a type that is not read.
 */
export function readGgufHeader(source: ByteSource): GgufHeader {
  const cursor = new GgufCursor(source, show(source.path));
  if (cursor.u32() !== GGUF_MAGIC) cursor.fail('must start with "GGUF"');
  const version = readVersion(cursor);
  const tensorCount = cursor.u64();
  const keyCount = cursor.u64();
  if (tensorCount > MAX_GGUF_TENSORS)
    cursor.failLimit(`must name at most ${MAX_GGUF_TENSORS} tensors, got ${tensorCount}`);
  if (keyCount > MAX_GGUF_KEYS) cursor.failLimit(`must have at most ${MAX_GGUF_KEYS} keys, got ${keyCount}`);
  const keys = readKeys(cursor, keyCount);
  const alignment = readAlignment(cursor, keys.get(GGUF_ALIGNMENT_KEY));
  const infos = readTensors(cursor, tensorCount);
  const dataOffset = Math.ceil(cursor.position / alignment) * alignment;
  const tensors = new Map<string, GgufTensorEntry>();
  for (const [name, info] of infos) {
    cursor.what = `tensor ${show(name)}`;
    tensors.set(name, placeTensor(cursor, info, { alignment, dataOffset, size: source.size }));
  }
  checkOverlaps(cursor, tensors);
  return { version, keys, tensors };
}

function readVersion(cursor: GgufCursor): number {
  const version = cursor.u32();
  if (version === 2 || version === 3) return version;
  const swapped = version === 2 ** 25 || version === 3 * 2 ** 24;
  return cursor.fail(`must have version 2 or 3, got ${swapped ? 'a big-endian file' : version}`);
}

function readKeys(cursor: GgufCursor, count: number): Map<string, GgufEntry> {
  const keys = new Map<string, GgufEntry>();
  for (let i = 0; i < count; i++) {
    cursor.what = `key ${i}`;
    const offset = cursor.position;
    const key = cursor.string(MAX_KEY_BYTES);
    cursor.what = `key ${show(key)}`;
    if (keys.has(key)) cursor.fail('must be there once, but is there twice');
    const value = readGgufValue(cursor, cursor.u32());
    keys.set(key, { value, offset, byteLength: cursor.position - offset });
  }
  return keys;
}

function readAlignment(cursor: GgufCursor, entry: GgufEntry | undefined): number {
  if (entry === undefined) return GGUF_DEFAULT_ALIGNMENT;
  const { value } = entry;
  cursor.what = `key ${show(GGUF_ALIGNMENT_KEY)}`;
  if (typeof value === 'number' && value > 0 && value <= 2 ** 31 && Number.isInteger(Math.log2(value))) return value;
  return cursor.fail(`must be a power of two (value type ${GGUF_UINT32}), got ${showGgufValue(value)}`);
}

interface TensorInfo {
  type: GgufType;
  shape: number[];
  /** From the start of the data. */
  begin: number;
}

function readTensors(cursor: GgufCursor, count: number): Map<string, TensorInfo> {
  const tensors = new Map<string, TensorInfo>();
  for (let i = 0; i < count; i++) {
    cursor.what = `tensor ${i}`;
    const name = cursor.string(MAX_GGUF_NAME_BYTES);
    cursor.what = `tensor ${show(name)}`;
    if (tensors.has(name)) cursor.fail('must be there once, but is there twice');
    const rank = cursor.u32();
    if (rank > GGUF_MAX_RANK) cursor.failLimit(`must have at most ${GGUF_MAX_RANK} dimensions, got ${rank}`);
    const shape = Array.from({ length: rank }, () => cursor.u64()).reverse();
    const type = readType(cursor);
    tensors.set(name, { type, shape, begin: cursor.u64() });
  }
  return tensors;
}

function readType(cursor: GgufCursor): GgufType {
  const id = cursor.u32();
  const type = ggufTypeById(id);
  if (type !== undefined) return type;
  const unread = unreadGgufType(id);
  if (unread === undefined) cursor.fail(`must have a type of ggml, got ${id}`);
  throw new QgemmError(
    'ERR_QGEMM_DTYPE',
    `${cursor.what} of ${cursor.file} must have one of the types ${GGUF_TYPE_NAMES.join(', ')}, got ${unread}`,
  );
}

function placeTensor(
  cursor: GgufCursor,
  { type, shape, begin }: TensorInfo,
  { alignment, dataOffset, size }: { alignment: number; dataOffset: number; size: number },
): GgufTensorEntry {
  const elements = elementsOf(shape);
  if (!shape.every(Number.isSafeInteger) || !Number.isSafeInteger(elements * 8)) {
    cursor.failLimit(`must have fewer than 2^50 elements, got ${show(shape)}`);
  }
  const row = shape.at(-1) ?? 1;
  if (row % type.blockElements !== 0) {
    cursor.fail(`must have rows of a multiple of ${type.blockElements} values as ${type.name}, got ${row}`);
  }
  const byteLength = (elements / type.blockElements) * type.blockBytes;
  if (begin % alignment !== 0) cursor.fail(`must begin at a multiple of ${alignment} bytes, got ${begin}`);
  const offset = dataOffset + begin;
  if (offset + byteLength > size && byteLength > 0) {
    cursor.fail(`must lie inside the file of ${size} bytes, but needs ${byteLength} bytes at byte ${offset}`);
  }
  return { type, shape, offset, byteLength };
}

function checkOverlaps(cursor: GgufCursor, tensors: ReadonlyMap<string, GgufTensorEntry>): void {
  const sorted = [...tensors].filter(([, { byteLength }]) => byteLength > 0);
  sorted.sort(([, a], [, b]) => a.offset - b.offset);
  let end = 0;
  for (const [name, { offset, byteLength }] of sorted) {
    cursor.what = `tensor ${show(name)}`;
    if (offset < end)
      cursor.fail(`must not overlap another tensor, but begins at byte ${offset} and that ends at ${end}`);
    end = offset + byteLength;
  }
}
