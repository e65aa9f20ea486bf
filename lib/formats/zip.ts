import { constants, inflateRawSync } from 'node:zlib';
import { QgemmError, show } from '../errors.js';
import { native } from '../native.js';
import { readBytes, type ByteSource } from './file.js';
import { MAX_INFLATED_BYTES } from './limits.js';
import {
  decodeName,
  IN_ZIP64,
  readZipDirectory,
  viewOf,
  zip64Values,
  zipError,
  type ZipRecord,
} from './zip-directory.js';

/** A file in a zip archive. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes after decompression. */
  readonly size: number;
  /**
   * The content, read by offset. A compressed file is inflated as a whole at the first read, and its CRC checked; it stays
   * in memory until another compressed file of the archive is read.
   */
  readonly content: ByteSource;
  /** The whole content; its CRC is checked. */
  read(): Uint8Array;
  /** Up to `length` of the first bytes, without the rest; no CRC is checked. */
  start(length: number): Uint8Array;
}

const SIGNATURE = [0x50, 0x4b, 0x03, 0x04];
const LOCAL_BYTES = 30;
const LOCAL_SIGNATURE = 0x04034b50;
const ENCRYPTED = 0x2041;
const SIZES_FOLLOW = 0x0008;
const STORED = 0;
const DEFLATED = 8;
/** Deflate cannot do better: 258 bytes from two bits. */
const MAX_DEFLATE_RATIO = 1032;

export function isZip(start: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => start[i] === byte);
}

/**
 * The files of a zip archive by name. The local header of every file must agree with the central directory, and no two
 * files may share bytes: readers that follow only one of them would see another archive.
 *
 * @throws QgemmError FORMAT, LIMIT
 */
export function readZip(source: ByteSource): Map<string, ZipEntry> {
  const { records, end } = readZipDirectory(source);
  const offsets = new Map<ZipRecord, number>();
  let last = 0;
  for (const record of [...records].sort((a, b) => a.headerOffset - b.headerOffset)) {
    if (record.headerOffset < last) throw zipError(source.path, `has ${show(record.name)} overlapping another file`);
    const offset = checkLocalHeader(source, record, end);
    offsets.set(record, offset);
    last = offset + record.compressedSize;
    if (last > end) throw zipError(source.path, `has ${show(record.name)} reaching beyond its ${end} bytes of data`);
  }
  const inflated = new LastInflated();
  return new Map(records.map((record) => [record.name, entryOf(source, record, offsets.get(record)!, inflated)]));
}

/** Returns where the data of a file begin. */
function checkLocalHeader(source: ByteSource, record: ZipRecord, end: number): number {
  const { path } = source;
  const what = show(record.name);
  if (record.flags & ENCRYPTED) throw zipError(path, `has ${what} encrypted`);
  const nameEnd = record.headerOffset + LOCAL_BYTES + Buffer.byteLength(record.name);
  if (nameEnd > end) throw zipError(path, `has ${what} at byte ${record.headerOffset}, outside of its data`);
  const bytes = readBytes(source, record.headerOffset, nameEnd - record.headerOffset);
  const view = viewOf(bytes);
  const nameLength = view.getUint16(26, true);
  const name = nameLength === bytes.length - LOCAL_BYTES ? decodeName(path, bytes.subarray(LOCAL_BYTES)) : undefined;
  if (view.getUint32(0, true) !== LOCAL_SIGNATURE || name !== record.name) {
    throw zipError(path, `has no header of ${what} where its directory says`);
  }
  const extraLength = view.getUint16(28, true);
  if (nameEnd + extraLength > end) throw zipError(path, `has ${what} reaching beyond its ${end} bytes of data`);
  const [crc, compressed, size] = [14, 18, 22].map((at) => view.getUint32(at, true)) as [number, number, number];
  const followed = (view.getUint16(6, true) & SIZES_FOLLOW) !== 0 && crc === 0 && compressed === 0 && size === 0;
  let agrees = view.getUint16(8, true) === record.method;
  if (!followed) {
    const needs64 = compressed === IN_ZIP64 || size === IN_ZIP64;
    const extra = needs64 ? readBytes(source, nameEnd, extraLength) : new Uint8Array(0);
    const values = zip64Values(path, extra);
    // Unlike in the directory, both sizes are in the local zip64 field when there is one.
    const [size64, compressed64] = needs64 ? values : [size, compressed];
    agrees &&= crc === record.crc && size64 === record.size && compressed64 === record.compressedSize;
  }
  if (!agrees) throw zipError(path, `has a header of ${what} that disagrees with its directory`);
  return nameEnd + extraLength;
}

function entryOf(source: ByteSource, record: ZipRecord, offset: number, inflated: LastInflated): ZipEntry {
  const { name, size, method, compressedSize } = record;
  const what = `${show(name)} in zip archive ${show(source.path)}`;
  if (method === STORED) {
    if (compressedSize !== size) throw zipError(source.path, `has ${show(name)} with two different sizes`);
    const readInto = (target: Uint8Array, position: number): void => source.readInto(target, offset + position);
    const content = { path: source.path, size, readInto };
    return {
      name,
      size,
      content,
      read: () => checked(what, readBytes(content, 0, size), record.crc),
      start: (length) => readBytes(content, 0, Math.min(length, size)),
    };
  }
  if (method !== DEFLATED) {
    throw zipError(source.path, `has ${show(name)} compressed by method ${method}: only deflate is supported`);
  }
  if (size > MAX_INFLATED_BYTES || compressedSize > MAX_INFLATED_BYTES) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `${what} must have at most ${MAX_INFLATED_BYTES} bytes where it is compressed, got ${Math.max(size, compressedSize)}`,
    );
  }
  if (size > compressedSize * MAX_DEFLATE_RATIO) {
    throw zipError(source.path, `has ${show(name)} whose ${compressedSize} bytes cannot hold ${size}`);
  }
  const read = (): Uint8Array =>
    inflated.of(record, () => {
      const bytes = inflate(what, readBytes(source, offset, compressedSize), size);
      if (bytes.length !== size) throw sizeError(what, size);
      return checked(what, bytes, record.crc);
    });
  const readInto = (target: Uint8Array, position: number): void =>
    target.set(read().subarray(position, position + target.length));
  return {
    name,
    size,
    content: { path: source.path, size, readInto },
    read,
    start: (length) => inflateStart(what, readBytes(source, offset, Math.min(compressedSize, length)), length),
  };
}

/** Keeps what was inflated last: tensors are read one after another, each in pieces. */
class LastInflated {
  #record: ZipRecord | undefined;
  #bytes = new Uint8Array(0);

  of(record: ZipRecord, read: () => Uint8Array<ArrayBuffer>): Uint8Array {
    if (this.#record !== record) {
      this.#record = undefined;
      this.#bytes = new Uint8Array(0);
      this.#bytes = read();
      this.#record = record;
    }
    return this.#bytes;
  }
}

function checked<T extends Uint8Array>(what: string, bytes: T, crc: number): T {
  if (native.crc32(bytes, 0) !== crc) {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have the CRC that the archive gives, but its bytes differ`);
  }
  return bytes;
}

function inflate(what: string, compressed: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  try {
    return inflateRawSync(compressed, { maxOutputLength: Math.max(size, 1) });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw sizeError(what, size);
    throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must be compressed by deflate, but its data are damaged`, {
      cause,
    });
  }
}

/** The first bytes of a compressed file: what some of its compressed bytes give. */
function inflateStart(what: string, compressed: Uint8Array, length: number): Uint8Array {
  try {
    return inflateRawSync(compressed, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, length);
  } catch (cause) {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must be compressed by deflate, but its data are damaged`, {
      cause,
    });
  }
}

function sizeError(what: string, size: number): QgemmError {
  return new QgemmError('ERR_QGEMM_FORMAT', `${what} must have ${size} bytes when it is inflated, but has not`);
}
