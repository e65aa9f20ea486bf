import { QgemmError, show } from '../../errors.js';
import { dtypeBytes, elementsOf, type Dtype } from '../dtypes.js';
import { MAX_FLAX_CHUNKS, MAX_FLAX_KEY_BYTES, MAX_RANK } from '../limits.js';
import type { MsgpackReader } from './msgpack.js';

/** An array of a Flax checkpoint, with the places in the file where its bytes lie, one after another. */
export interface FlaxArray {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly pieces: readonly FlaxPiece[];
}

export interface FlaxPiece {
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** The first key of a map that stands for an array of more than 2^30 bytes. */
export const CHUNKED_KEY = '__msgpack_chunked_array__';

/** What NumPy and ml_dtypes call them. */
const DTYPES: ReadonlyMap<string, Dtype> = new Map<string, Dtype>([
  ['bool', 'BOOL'],
  ['int8', 'I8'],
  ['uint8', 'U8'],
  ['int16', 'I16'],
  ['uint16', 'U16'],
  ['int32', 'I32'],
  ['uint32', 'U32'],
  ['int64', 'I64'],
  ['uint64', 'U64'],
  ['float16', 'F16'],
  ['bfloat16', 'BF16'],
  ['float32', 'F32'],
  ['float64', 'F64'],
  ['complex64', 'C64'],
  ['float8_e4m3fn', 'F8_E4M3'],
  ['float8_e5m2', 'F8_E5M2'],
  ['float8_e4m3fnuz', 'F8_E4M3FNUZ'],
  ['float8_e5m2fnuz', 'F8_E5M2FNUZ'],
  ['float8_e8m0fnu', 'F8_E8M0'],
]);
const MAX_DTYPE_BYTES = 64;
const NOT_ITS_CONTENT = 'must have a shape, a dtype and bytes that fill its';

/**
 * Reads the content of an ndarray, of `length` bytes: shape, name of the dtype and row-major little-endian bytes, of which
 * only the place is taken.
 *
 * @throws QgemmError FORMAT, LIMIT, DTYPE
 */
export function readFlaxArray(reader: MsgpackReader, length: number): FlaxArray {
  const end = reader.position + length;
  const parts = reader.expect('array', 'must be an ndarray of shape, dtype and bytes');
  if (parts.length !== 3) reader.fail(`must be an ndarray of 3 parts, got ${parts.length}`);
  const rank = reader.expect('array', 'must have a shape').length;
  if (rank > MAX_RANK) reader.failLimit(`must have at most ${MAX_RANK} dimensions, got ${rank}`);
  const shape = Array.from({ length: rank }, () => readDimension(reader));
  const dtype = readDtype(reader);
  const data = reader.head();
  if (data.kind !== 'binary') reader.fail(`${NOT_ITS_CONTENT} ${length} bytes, got ${data.kind} for bytes`);
  const offset = reader.position;
  if (offset + data.length !== end) reader.fail(`${NOT_ITS_CONTENT} ${length} bytes, but they end elsewhere`);
  const byteLength = bytesOf(reader, dtype, shape);
  if (byteLength !== data.length) {
    reader.fail(`must have ${byteLength} bytes for ${dtype} ${show(shape)}, got ${data.length}`);
  }
  reader.skip(byteLength);
  return { dtype, shape, byteLength, pieces: [{ offset, byteLength }] };
}

/**
 * Reads what follows {@link CHUNKED_KEY} in a map of `pairs` pairs: true, the shape as a map, and the chunks as a map of flat
 * arrays, each numbered from 0.
 *
 * @param codes the ext types that hold an array
 */
export function readChunkedArray(reader: MsgpackReader, pairs: number, codes: readonly number[]): FlaxArray {
  if (pairs !== 3) reader.fail(`must be a chunked array of 3 keys, got ${pairs}`);
  reader.expect('bool', `must have true under ${show(CHUNKED_KEY)}`);
  let shape: number[] | undefined;
  let chunks: FlaxArray[] | undefined;
  for (let i = 1; i < pairs; i++) {
    const key = readKey(reader);
    if (key === 'shape' && shape === undefined) shape = readNumbered(reader, MAX_RANK, readDimension);
    else if (key === 'chunks' && chunks === undefined) {
      chunks = readNumbered(reader, MAX_FLAX_CHUNKS, () => readChunk(reader, codes));
    } else reader.fail(`must be a chunked array with "shape" and "chunks", each once, but has ${show(key)}`);
  }
  return joined(reader, shape!, chunks!);
}

/** A key of a map: text. */
export function readKey(reader: MsgpackReader): string {
  const { length } = reader.expect('text', 'must have keys that are text');
  return reader.text(length, MAX_FLAX_KEY_BYTES);
}

/** A map of the keys "0", "1" and so on, in order. */
function readNumbered<T>(reader: MsgpackReader, limit: number, read: (reader: MsgpackReader) => T): T[] {
  const { length } = reader.expect('map', 'must be a chunked array whose shape and chunks are maps');
  if (length > limit) reader.failLimit(`must have at most ${limit} dimensions or chunks, got ${length}`);
  return Array.from({ length }, (_, i) => {
    const key = readKey(reader);
    if (key !== String(i))
      reader.fail(`must number its dimensions and chunks from "0" on, got ${show(key)} for "${i}"`);
    return read(reader);
  });
}

function readChunk(reader: MsgpackReader, codes: readonly number[]): FlaxArray {
  const { code, length } = reader.expect('ext', 'must have chunks that are arrays');
  if (!codes.includes(code)) reader.fail(`must have chunks that are arrays, got ext type ${code}`);
  return readFlaxArray(reader, length);
}

function joined(reader: MsgpackReader, shape: number[], chunks: FlaxArray[]): FlaxArray {
  const dtype = chunks[0]?.dtype ?? reader.fail('must have a chunk at least');
  const other = chunks.find((chunk) => chunk.dtype !== dtype || chunk.shape.length !== 1);
  if (other !== undefined) {
    reader.fail(`must have flat chunks of ${dtype}, but one is ${other.dtype} ${show(other.shape)}`);
  }
  const byteLength = bytesOf(reader, dtype, shape);
  const pieces = chunks.flatMap((chunk) => chunk.pieces).filter((piece) => piece.byteLength > 0);
  const bytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  if (bytes !== byteLength) {
    reader.fail(`must have ${byteLength} bytes for ${dtype} ${show(shape)}, but its chunks have ${bytes}`);
  }
  return { dtype, shape, byteLength, pieces };
}

function readDimension(reader: MsgpackReader): number {
  const { value } = reader.expect('integer', 'must have a shape of integers');
  if (typeof value === 'bigint')
    return reader.failLimit(`must have fewer than 2^50 elements, got ${value} in its shape`);
  if (value < 0) reader.fail(`must have a shape of integers >= 0, got ${value}`);
  return value;
}

function readDtype(reader: MsgpackReader): Dtype {
  const { length } = reader.expect('text', 'must have a dtype by name');
  const name = reader.text(length, MAX_DTYPE_BYTES);
  const dtype = DTYPES.get(name);
  if (dtype !== undefined) return dtype;
  throw new QgemmError(
    'ERR_QGEMM_DTYPE',
    `${reader.what} must be of integers, floats, bools or complex64 numbers, got ${show(name)}`,
  );
}

function bytesOf(reader: MsgpackReader, dtype: Dtype, shape: readonly number[]): number {
  return (
    dtypeBytes(dtype, elementsOf(shape)) ?? reader.failLimit(`must have fewer than 2^50 elements, got ${show(shape)}`)
  );
}
