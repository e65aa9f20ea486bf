import { QgemmError, show } from '../errors.js';
import { readBytes, type ByteSource } from './file.js';
import { MAX_ZIP_DIRECTORY_BYTES } from './limits.js';

/** One file of an archive as the central directory describes it. */
export interface ZipRecord {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Where its local header begins. */
  readonly headerOffset: number;
}

export interface ZipDirectory {
  readonly records: readonly ZipRecord[];
  /** Bytes before the central directory: where local headers and data lie. */
  readonly end: number;
}

const END_BYTES = 22;
const END_SIGNATURE = 0x06054b50;
const MAX_COMMENT_BYTES = 0xffff;
const LOCATOR_BYTES = 20;
const LOCATOR_SIGNATURE = 0x07064b50;
const END64_BYTES = 56;
const END64_SIGNATURE = 0x06064b50;
const RECORD_BYTES = 46;
const RECORD_SIGNATURE = 0x02014b50;
const ZIP64_FIELD = 1;
/** "The value is in the zip64 field." */
export const IN_ZIP64 = 0xffffffff;

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function zipError(path: string, problem: string): QgemmError {
  return new QgemmError('ERR_QGEMM_FORMAT', `zip archive ${show(path)} ${problem}`);
}

/**
 * Reads the central directory of a zip archive (APPNOTE 4.3, with zip64). Sizes and offsets are checked against the file
 * before they are used; encryption, several volumes and names that occur twice are refused.
 *
 * @throws QgemmError FORMAT, LIMIT
 */
export function readZipDirectory(source: ByteSource): ZipDirectory {
  const { count, size, offset } = locateDirectory(source);
  const { path } = source;
  if (size > MAX_ZIP_DIRECTORY_BYTES) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `the directory of zip archive ${show(path)} must have at most ${MAX_ZIP_DIRECTORY_BYTES} bytes, got ${size}`,
    );
  }
  if (count * RECORD_BYTES > size) throw zipError(path, `must have ${count} files, but its directory is too short`);
  const bytes = readBytes(source, offset, size);
  const records: ZipRecord[] = [];
  const names = new Set<string>();
  let position = 0;
  for (let i = 0; i < count; i++) {
    const record = readRecord(path, bytes.subarray(position));
    if (names.has(record.value.name)) throw zipError(path, `has the file ${show(record.value.name)} twice`);
    names.add(record.value.name);
    records.push(record.value);
    position += record.length;
  }
  if (position !== size) throw zipError(path, `has ${size - position} bytes in its directory that belong to no file`);
  return { records, end: offset };
}

interface Location {
  count: number;
  size: number;
  offset: number;
}

/** Follows the end record, and the zip64 one before it where there is one. Both must agree. */
function locateDirectory(source: ByteSource): Location {
  const { path, size } = source;
  const length = Math.min(size, END_BYTES + MAX_COMMENT_BYTES + LOCATOR_BYTES);
  const tail = readBytes(source, size - length, length);
  const view = viewOf(tail);
  let at = tail.length - END_BYTES;
  while (at >= 0 && !isEnd(view, at)) at--;
  if (at < 0) throw zipError(path, 'must end with a directory, but has none: it is truncated or not a zip archive');
  const end = size - tail.length + at;
  const disks = [view.getUint16(at + 4, true), view.getUint16(at + 6, true)];
  const counts = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
  let location: Location = {
    count: counts[1]!,
    size: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  };
  let directoryEnd = end;
  if (at >= LOCATOR_BYTES && view.getUint32(at - LOCATOR_BYTES, true) === LOCATOR_SIGNATURE) {
    directoryEnd = safeInteger(path, view.getBigUint64(at - LOCATOR_BYTES + 8, true));
    location = readEnd64(source, directoryEnd, end - LOCATOR_BYTES, location);
  } else if (disks.some((disk) => disk !== 0) || counts[0] !== counts[1]) {
    throw zipError(path, 'must be one volume, but is a part of several');
  }
  if (location.offset + location.size !== directoryEnd) {
    throw zipError(
      path,
      `must have its directory of ${location.size} bytes right before its end record at byte ${directoryEnd}, but says byte ${location.offset}`,
    );
  }
  return location;
}

function isEnd(view: DataView, at: number): boolean {
  return (
    view.getUint32(at, true) === END_SIGNATURE && view.getUint16(at + 20, true) === view.byteLength - at - END_BYTES
  );
}

function readEnd64(source: ByteSource, position: number, limit: number, end: Location): Location {
  const { path } = source;
  if (position + END64_BYTES > limit) throw zipError(path, 'has a zip64 end record that lies outside the file');
  const view = viewOf(readBytes(source, position, END64_BYTES));
  if (view.getUint32(0, true) !== END64_SIGNATURE) throw zipError(path, 'has no zip64 end record where it says');
  if (view.getUint32(16, true) !== 0 || view.getUint32(20, true) !== 0) {
    throw zipError(path, 'must be one volume, but is a part of several');
  }
  const location = {
    count: safeInteger(path, view.getBigUint64(32, true)),
    size: safeInteger(path, view.getBigUint64(40, true)),
    offset: safeInteger(path, view.getBigUint64(48, true)),
  };
  const agrees =
    (end.count === 0xffff || end.count === location.count) &&
    (end.size === IN_ZIP64 || end.size === location.size) &&
    (end.offset === IN_ZIP64 || end.offset === location.offset);
  if (!agrees) throw zipError(path, 'has two end records that disagree');
  return location;
}

export function safeInteger(path: string, value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw zipError(path, `has a size or offset of ${value}`);
  return Number(value);
}

function readRecord(path: string, bytes: Uint8Array): { value: ZipRecord; length: number } {
  const view = viewOf(bytes);
  if (bytes.length < RECORD_BYTES || view.getUint32(0, true) !== RECORD_SIGNATURE) {
    throw zipError(path, 'has a directory that is damaged');
  }
  const nameLength = view.getUint16(28, true);
  const extraLength = view.getUint16(30, true);
  const length = RECORD_BYTES + nameLength + extraLength + view.getUint16(32, true);
  if (length > bytes.length) throw zipError(path, 'has a directory that is damaged');
  const extraStart = RECORD_BYTES + nameLength;
  const fields = zip64Values(path, bytes.subarray(extraStart, extraStart + extraLength));
  const sized = (value: number): number => (value === IN_ZIP64 ? nextValue(path, fields) : value);
  const size = sized(view.getUint32(24, true));
  const compressedSize = sized(view.getUint32(20, true));
  const headerOffset = sized(view.getUint32(42, true));
  return {
    value: {
      name: decodeName(path, bytes.subarray(RECORD_BYTES, extraStart)),
      flags: view.getUint16(8, true),
      method: view.getUint16(10, true),
      crc: view.getUint32(16, true),
      compressedSize,
      size,
      headerOffset,
    },
    length,
  };
}

function nextValue(path: string, values: number[]): number {
  const value = values.shift();
  if (value === undefined) throw zipError(path, 'has a file of zip64 size without the size');
  return value;
}

/** The 8-byte values of the zip64 field, in order: of size, compressed size and offset those that are marked. */
export function zip64Values(path: string, extra: Uint8Array): number[] {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + view.getUint16(at + 2, true);
    if (end > extra.length) return [];
    if (view.getUint16(at, true) === ZIP64_FIELD) {
      const values: number[] = [];
      for (let value = at + 4; value + 8 <= end && values.length < 3; value += 8) {
        values.push(safeInteger(path, view.getBigUint64(value, true)));
      }
      return values;
    }
    at = end;
  }
  return [];
}

export function decodeName(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw zipError(path, 'must have file names in UTF-8');
  }
}
