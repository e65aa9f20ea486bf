import { QgemmError, show } from '../../errors.js';
import { native } from '../../native.js';
import { dtypeBytes, elementsOf, type Dtype } from '../dtypes.js';
import type { ByteSource } from '../file.js';
import { CHUNK_BYTES } from '../limits.js';
import type { ExternalFiles } from './external.js';
import type { OnnxTensor } from './tensor-proto.js';
import type { Span } from './protobuf.js';
import type { SourceTensor } from '../source.js';

/** How TensorProto.DataType stores its values, and how they are presented. */
export interface OnnxDtype {
  readonly dtype: Dtype;
  /** The field of typed data. */
  readonly field: number;
  /** Two values to a byte in the file; one to a byte as presented. */
  readonly nibbles?: true;
}

const DTYPES: ReadonlyMap<number, OnnxDtype> = new Map<number, OnnxDtype>([
  [1, { dtype: 'F32', field: 4 }],
  [2, { dtype: 'U8', field: 5 }],
  [3, { dtype: 'I8', field: 5 }],
  [4, { dtype: 'U16', field: 5 }],
  [5, { dtype: 'I16', field: 5 }],
  [6, { dtype: 'I32', field: 5 }],
  [7, { dtype: 'I64', field: 7 }],
  [9, { dtype: 'BOOL', field: 5 }],
  [10, { dtype: 'F16', field: 5 }],
  [11, { dtype: 'F64', field: 10 }],
  [12, { dtype: 'U32', field: 11 }],
  [13, { dtype: 'U64', field: 11 }],
  [14, { dtype: 'C64', field: 4 }],
  [16, { dtype: 'BF16', field: 5 }],
  [17, { dtype: 'F8_E4M3', field: 5 }],
  [18, { dtype: 'F8_E4M3FNUZ', field: 5 }],
  [19, { dtype: 'F8_E5M2', field: 5 }],
  [20, { dtype: 'F8_E5M2FNUZ', field: 5 }],
  [21, { dtype: 'U8', field: 5, nibbles: true }],
  [22, { dtype: 'I8', field: 5, nibbles: true }],
  [24, { dtype: 'F8_E8M0', field: 5 }],
]);

/** TensorProto.DataType.STRING: text, which no tensor of ours holds. */
export const ONNX_STRING = 8;

/** float_data and double_data are stored as they are; other typed data are varints. */
const FIXED_FIELDS = new Set([4, 10]);

/** The bytes of a tensor as the model stores them. */
export interface StoredTensor {
  readonly type: OnnxDtype;
  readonly length: number;
  readInto(target: Uint8Array, position: number): void;
}

/**
 * A tensor of an ONNX model under its name in the model. int4 and uint4 values are presented one to a byte, as I8 and U8.
 *
 * @throws QgemmError FORMAT where shape and data disagree, DTYPE, LIMIT, PATH, IO
 */
export function onnxTensor(name: string, tensor: OnnxTensor, file: ByteSource, external: ExternalFiles): SourceTensor {
  const stored = storedTensor(name, tensor, file, external);
  const { dtype, nibbles } = stored.type;
  const elements = elementsOf(tensor.dims);
  const readInto = nibbles ? nibbleReader(stored.readInto, elements, dtype) : stored.readInto;
  return { name, dtype, shape: tensor.dims, byteLength: dtypeBytes(dtype, elements)!, readInto };
}

/** What {@link onnxTensor} reads from: its raw_data, whichever way the model stores it. */
export function storedTensor(
  name: string,
  tensor: OnnxTensor,
  file: ByteSource,
  external: ExternalFiles,
): StoredTensor {
  const what = `ONNX tensor ${show(name)}`;
  const type = DTYPES.get(tensor.dataType);
  if (type === undefined) {
    throw new QgemmError(
      'ERR_QGEMM_DTYPE',
      `${what} must have a data type of ONNX that has a fixed size of whole bytes or 4-bit integers, got ${tensor.dataType}`,
    );
  }
  const shape = tensor.dims;
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have dimensions >= 0, got ${show(shape)}`);
  }
  const elements = elementsOf(shape);
  const byteLength = dtypeBytes(type.dtype, elements);
  if (byteLength === undefined) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${what} must have fewer than 2^50 elements, got ${show(shape)}`);
  }
  const length = type.nibbles ? Math.ceil(elements / 2) : byteLength;
  return { type, length, readInto: bytesOf(what, tensor, type, length, file, external) };
}

type Read = SourceTensor['readInto'];

/** Reads the stored bytes, `length` of them. */
function bytesOf(
  what: string,
  { data }: OnnxTensor,
  { dtype, field }: OnnxDtype,
  length: number,
  file: ByteSource,
  external: ExternalFiles,
): Read {
  const expect = (got: number): void => {
    if (got === length) return;
    throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have ${length} bytes for its shape, but has ${got}`);
  };
  if (data.kind === 'raw') {
    expect(data.span.end - data.span.start);
    return (target, position) => file.readInto(target, data.span.start + position);
  }
  if (data.kind === 'external') return external.open(what, data.entries, length);
  if (data.kind === 'none') {
    expect(0);
    return () => undefined;
  }
  if (data.field !== field) {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have its ${dtype} values in another field of typed data`);
  }
  const pieces = piecesReader(file, data.pieces);
  if (FIXED_FIELDS.has(field)) {
    expect(pieces.size);
    return pieces.readInto;
  }
  const elementBytes = dtypeBytes(dtype, 1)!;
  const count = length / elementBytes;
  if (pieces.size < count || pieces.size > 10 * count) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${what} must have ${count} values of typed data for its shape, but has ${pieces.size} bytes`,
    );
  }
  return varintReader(what, pieces, elementBytes, length);
}

interface Pieces {
  readonly size: number;
  readInto(target: Uint8Array, position: number): void;
}

/** Ranges of a file one after another. */
function piecesReader(file: ByteSource, spans: readonly Span[]): Pieces {
  const size = spans.reduce((sum, { start, end }) => sum + end - start, 0);
  const readInto = (target: Uint8Array, position: number): void => {
    let begin = 0;
    for (const { start, end } of spans) {
      const from = Math.max(position, begin);
      const to = Math.min(position + target.length, begin + end - start);
      if (from < to) file.readInto(target.subarray(from - position, to - position), start + from - begin);
      begin += end - start;
    }
  };
  return { size, readInto };
}

/**
 * Decodes varints on the way. Where a value begins is known only from those before it: a read that goes on where the last
 * one ended is quick, any other starts over.
 *
 * @throws QgemmError FORMAT unless there are as many varints as values
 */
function varintReader(what: string, pieces: Pieces, elementBytes: number, byteLength: number): Read {
  let next = { position: 0, at: 0 };
  const decode = (target: Uint8Array): void => {
    for (let done = 0; done < target.length;) {
      const bytes = new Uint8Array(Math.min(CHUNK_BYTES, pieces.size - next.at));
      pieces.readInto(bytes, next.at);
      const { consumed, decoded, malformed } = native.decodeVarints(bytes, elementBytes, target.subarray(done));
      if (malformed || decoded === 0) {
        next = { position: 0, at: 0 };
        throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have a varint for each of its values, but has fewer`);
      }
      done += decoded * elementBytes;
      next = { position: next.position + decoded * elementBytes, at: next.at + consumed };
    }
    if (next.position === byteLength && next.at !== pieces.size) {
      throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have a varint for each of its values, but has more`);
    }
  };
  const skipTo = (position: number): void => {
    if (position < next.position) next = { position: 0, at: 0 };
    while (next.position < position) decode(new Uint8Array(Math.min(CHUNK_BYTES, position - next.position)));
  };
  // Whether there is a varint for each value shows only when they are decoded.
  skipTo(byteLength);
  return (target, position) => {
    skipTo(position);
    decode(target);
  };
}

/** Two values to a byte become one to a byte, the low half first. */
function nibbleReader(read: Read, elements: number, dtype: Dtype): Read {
  return (target, position) => {
    for (let done = 0; done < target.length; done += CHUNK_BYTES) {
      const part = target.subarray(done, done + CHUNK_BYTES);
      // Positions are multiples of 8.
      const begin = (position + done) / 2;
      const packed = new Uint8Array(Math.ceil(Math.min(part.length, elements - position - done) / 2));
      read(packed, begin);
      native.unpackNibbles(packed, dtype === 'I8', part);
    }
  };
}
