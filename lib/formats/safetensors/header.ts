import { QgemmError, show } from '../../errors.js';
import { dtypeBytes, elementsOf, isDtype, type Dtype } from '../dtypes.js';
import { readBytes, type ByteSource } from '../file.js';
import { parseJsonEntries, type JsonValue } from '../json.js';
import { MAX_FILE_TENSORS, MAX_HEADER_BYTES, MAX_RANK } from '../limits.js';
import type { SourceTensor } from '../source.js';

/** One tensor as a safetensors header describes it, with its place in the file. */
export interface TensorEntry {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of the header. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Bytes before the data. */
  readonly dataOffset: number;
}

const LENGTH_BYTES = 8;
const OPEN_BRACE = 0x7b;

/** Whether a file begins as one does: a length below 2^32, then JSON. */
export function looksLikeSafetensors(start: Uint8Array): boolean {
  return start[LENGTH_BYTES] === OPEN_BRACE && start.subarray(4, LENGTH_BYTES).every((byte) => byte === 0);
}

/**
 * Reads and validates the header of a safetensors file: 8 bytes of little-endian length, then JSON, then data. Every rule
 * of the format is checked (names once, sizes that match shapes, data without holes or overlaps that ends where the file
 * ends), so that everything behind this function may trust the entries.
 *
 * @throws QgemmError FORMAT where the file breaks the format, LIMIT where it is beyond a cap of limits.ts.
 */
export function readSafetensorsHeader(source: ByteSource): SafetensorsHeader {
  const file = show(source.path);
  if (source.size < LENGTH_BYTES) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${file} must start with an 8-byte header length, but has ${source.size} bytes`,
    );
  }
  const length = new DataView(readBytes(source, 0, LENGTH_BYTES).buffer).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `the header of ${file} must have at most ${MAX_HEADER_BYTES} bytes, got ${length}`,
    );
  }
  const dataOffset = LENGTH_BYTES + Number(length);
  if (dataOffset > source.size) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${file} must hold its header of ${length} bytes, but has only ${source.size} bytes`,
    );
  }
  const what = `the header of ${file}`;
  const bytes = readBytes(source, LENGTH_BYTES, Number(length));
  if (bytes[0] !== OPEN_BRACE) throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must start with "{"`);
  let metadata: ReadonlyMap<string, string> = new Map();
  const tensors = new Map<string, TensorEntry>();
  parseJsonEntries(bytes, { what, integersOnly: true }, (name, value) => {
    if (tensors.size === MAX_FILE_TENSORS) {
      throw new QgemmError('ERR_QGEMM_LIMIT', `${what} must name at most ${MAX_FILE_TENSORS} tensors`);
    }
    if (name === '__metadata__') metadata = readMetadata(what, value);
    else tensors.set(name, readEntry(name, file, value, dataOffset));
  });
  checkContiguous(file, tensors, dataOffset, source.size);
  return { metadata, tensors, dataOffset };
}

function readMetadata(what: string, value: JsonValue): Map<string, string> {
  if (!(value instanceof Map)) throw new QgemmError('ERR_QGEMM_FORMAT', `__metadata__ in ${what} must be an object`);
  for (const [key, text] of value) {
    if (typeof text !== 'string') {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `__metadata__ in ${what} must hold strings, got ${show(text)} for ${show(key)}`,
      );
    }
  }
  return value as Map<string, string>;
}

function readEntry(name: string, file: string, value: JsonValue, dataOffset: number): TensorEntry {
  const what = `tensor ${show(name)} in ${file}`;
  if (!(value instanceof Map))
    throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must be an object, got ${show(value)}`);
  const dtype = value.get('dtype');
  if (!isDtype(dtype)) {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have a dtype of the safetensors format, got ${show(dtype)}`);
  }
  const shape = integers(what, 'shape', value.get('shape'));
  if (shape.length > MAX_RANK) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${what} must have at most ${MAX_RANK} dimensions, got ${shape.length}`);
  }
  const offsets = integers(what, 'data_offsets', value.get('data_offsets'));
  const [begin, end] = offsets;
  if (offsets.length !== 2 || begin === undefined || end === undefined || begin > end) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${what} must have data_offsets [begin, end] with begin <= end, got ${show(offsets)}`,
    );
  }
  const expected = dtypeBytes(dtype, elementsOf(shape));
  if (expected !== end - begin) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${what} must have ${expected ?? 'a whole number of'} bytes for ${dtype} ${show(shape)}, but data_offsets span ${end - begin}`,
    );
  }
  return { dtype, shape, offset: dataOffset + begin, byteLength: end - begin };
}

function integers(what: string, key: string, value: JsonValue | undefined): number[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'number')) {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have ${key} as an array of integers, got ${show(value)}`);
  }
  return value;
}

/** Data must lie one tensor after another, from the header to the file's last byte. */
function checkContiguous(
  file: string,
  tensors: ReadonlyMap<string, TensorEntry>,
  dataOffset: number,
  size: number,
): void {
  const sorted = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataOffset;
  for (const [name, entry] of sorted) {
    if (entry.offset !== end) {
      const fault = entry.offset < end ? 'overlaps the tensor before it' : 'leaves a hole before it';
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `tensor ${show(name)} in ${file} must begin at byte ${end - dataOffset} of the data, but begins at ${entry.offset - dataOffset}: it ${fault}`,
      );
    }
    end += entry.byteLength;
  }
  if (end !== size) {
    const fault = end > size ? 'the file is truncated' : 'bytes follow the last tensor';
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${file} must have ${end} bytes as its header says, but has ${size}: ${fault}`,
    );
  }
}

/** A tensor of a validated safetensors file. */
export function safetensorsTensor(source: ByteSource, name: string, entry: TensorEntry): SourceTensor {
  const { dtype, shape, offset, byteLength } = entry;
  return { name, dtype, shape, byteLength, readInto: (target, position) => source.readInto(target, offset + position) };
}

/** What the writer says about one tensor. */
export interface OutputEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
}

/**
 * The first bytes of a safetensors file: length and header for tensors that follow in the given order, without holes.
 * Spaces after the JSON make the data begin at a multiple of `alignment` bytes.
 *
 * @throws QgemmError LIMIT for a header that no reader of ours would take
 */
export function encodeSafetensorsHeader(
  metadata: ReadonlyMap<string, string>,
  entries: readonly OutputEntry[],
  alignment: number,
): Uint8Array {
  const parts: string[] = [];
  if (metadata.size > 0) {
    const pairs = [...metadata].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    parts.push(`"__metadata__":{${pairs.join(',')}}`);
  }
  let begin = 0;
  for (const { name, dtype, shape, byteLength } of entries) {
    const end = begin + byteLength;
    parts.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${begin},${end}]}`,
    );
    begin = end;
  }
  const json = Buffer.from(`{${parts.join(',')}}`, 'utf8');
  const total = Math.ceil((LENGTH_BYTES + json.length) / alignment) * alignment;
  if (total - LENGTH_BYTES > MAX_HEADER_BYTES) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `the header of a safetensors file must have at most ${MAX_HEADER_BYTES} bytes, but would have ${total - LENGTH_BYTES} for ${entries.length} tensors`,
    );
  }
  const header = Buffer.alloc(total, ' ');
  header.writeBigUInt64LE(BigInt(total - LENGTH_BYTES));
  json.copy(header, LENGTH_BYTES);
  return header;
}
