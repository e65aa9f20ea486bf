import { QgemmError, show } from '../../errors.js';
import { MAX_ONNX_PIECES, MAX_RANK } from '../limits.js';
import { WIRE, type ProtoField, type ProtoReader, type Span } from './protobuf.js';

/** Where the values of a tensor are. */
export type OnnxData =
  | { readonly kind: 'raw'; readonly span: Span }
  /** Typed data, by the number of its field in TensorProto: packed values, in pieces one after another. */
  | { readonly kind: 'typed'; readonly field: number; readonly pieces: readonly Span[] }
  | { readonly kind: 'external'; readonly entries: ReadonlyMap<string, string> }
  | { readonly kind: 'none' };

/** A TensorProto, checked for its own structure only. */
export interface OnnxTensor {
  readonly name: string;
  readonly dataType: number;
  readonly dims: readonly number[];
  readonly data: OnnxData;
}

/** float_data, int32_data, string_data, int64_data, double_data, uint64_data */
const TYPED_DATA = new Set([4, 5, 6, 7, 10, 11]);

export function readTensorProto(reader: ProtoReader, field: ProtoField): OnnxTensor {
  reader.expect(field, WIRE.bytes, 'a tensor');
  const dims: number[] = [];
  const typed = new Map<number, ProtoField[]>();
  const entries = new Map<string, string>();
  let raw: Span | undefined;
  let name = '';
  let dataType = 0;
  let external = false;
  for (const part of reader.fields(field)) {
    if (part.number === 1) addDims(reader, part, dims);
    else if (part.number === 2) dataType = part.value;
    else if (part.number === 8) name = reader.text(part, 'the name of a tensor');
    else if (part.number === 9) {
      reader.expect(part, WIRE.bytes, 'raw_data');
      // Protobuf takes the last one; another reader may take the first.
      if (raw !== undefined) reader.fail(part.begin, 'a tensor has raw_data twice');
      raw = { start: part.start, end: part.end };
    } else if (part.number === 13) {
      const [key, value] = readEntry(reader, part);
      if (entries.has(key)) reader.fail(part.begin, `external_data has ${show(key)} twice`);
      entries.set(key, value);
    } else if (part.number === 14) external = part.value === 1;
    else if (TYPED_DATA.has(part.number)) {
      const pieces = typed.get(part.number) ?? [];
      typed.set(part.number, pieces);
      if (pieces.length < MAX_ONNX_PIECES) pieces.push(part);
      else if (part.number !== 6) tooManyPieces(name);
    }
  }
  return { name, dataType, dims, data: chooseData(reader, field, raw, typed, external ? entries : undefined) };
}

/** A tensor has its data in one of four ways; two at once would be two tensors under one name. */
function chooseData(
  reader: ProtoReader,
  field: ProtoField,
  raw: Span | undefined,
  typed: ReadonlyMap<number, readonly ProtoField[]>,
  entries: ReadonlyMap<string, string> | undefined,
): OnnxData {
  // Some writers emit raw_data without bytes beside the data.
  const hasRaw = raw !== undefined && (raw.end > raw.start || typed.size === 0);
  const ways = typed.size + (hasRaw ? 1 : 0) + (entries === undefined ? 0 : 1);
  if (ways > 1) reader.fail(field.begin, 'a tensor has its data in two fields');
  if (entries !== undefined) return { kind: 'external', entries };
  if (hasRaw) return { kind: 'raw', span: raw };
  for (const [number, fields] of typed) return typedData(reader, number, fields);
  return { kind: 'none' };
}

/** Typed data from the fields that hold it: packed into one field, or one field for each value, or both. */
export function typedData(reader: ProtoReader, field: number, parts: readonly ProtoField[]): OnnxData {
  if (parts.length > MAX_ONNX_PIECES) tooManyPieces('');
  const single = field === 4 ? WIRE.fixed32 : field === 10 ? WIRE.fixed64 : WIRE.varint;
  for (const part of parts) if (part.wire !== single) reader.expect(part, WIRE.bytes, 'typed data');
  return { kind: 'typed', field, pieces: parts.map(({ start, end }) => ({ start, end })) };
}

function tooManyPieces(name: string): never {
  throw new QgemmError(
    'ERR_QGEMM_LIMIT',
    `ONNX tensor ${show(name)} must have its typed data in at most ${MAX_ONNX_PIECES} pieces`,
  );
}

function addDims(reader: ProtoReader, field: ProtoField, dims: number[]): void {
  for (const dim of reader.int64s(field)) {
    if (dims.length === MAX_RANK) {
      throw new QgemmError('ERR_QGEMM_LIMIT', `an ONNX tensor must have at most ${MAX_RANK} dimensions`);
    }
    dims.push(dim);
  }
}

/** A StringStringEntryProto. */
export function readEntry(reader: ProtoReader, field: ProtoField): [key: string, value: string] {
  reader.expect(field, WIRE.bytes, 'an entry');
  const entry: [string, string] = ['', ''];
  for (const part of reader.fields(field)) {
    if (part.number === 1) entry[0] = reader.text(part, 'the key of an entry');
    else if (part.number === 2) entry[1] = reader.text(part, 'the value of an entry');
  }
  return entry;
}
