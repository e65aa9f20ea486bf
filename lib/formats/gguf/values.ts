import { show } from '../../errors.js';
import type { GgufCursor } from './cursor.js';
import {
  MAX_GGUF_ARRAY_DEPTH,
  MAX_GGUF_SHOWN_ELEMENTS,
  MAX_GGUF_SHOWN_TEXT,
  MAX_GGUF_STRING_BYTES,
} from '../limits.js';

/** The numbers that stand for the types of values. */
export const GGUF_UINT32 = 4;
export const GGUF_STRING = 8;
const BOOL = 7;
const ARRAY = 9;

export type GgufScalar = number | bigint | boolean | string;

/** A value as far as it is of interest: `undefined` stands for an array that is too long to be text. */
export type GgufValue = GgufScalar | readonly GgufScalar[] | undefined;

/** Bytes of the numbers, by type. */
const NUMBER_BYTES: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 2],
  [GGUF_UINT32, 4],
  [5, 4],
  [6, 4],
  [BOOL, 1],
  [10, 8],
  [11, 8],
  [12, 8],
]);

/** Reads a value of any of the 13 types. Long arrays are walked and checked, but not kept. */
export function readGgufValue(cursor: GgufCursor, type: number): GgufValue {
  return type === ARRAY ? readArray(cursor, 1) : readScalar(cursor, type);
}

function readScalar(cursor: GgufCursor, type: number): GgufScalar {
  if (type === GGUF_STRING) return cursor.string(MAX_GGUF_STRING_BYTES);
  const size = NUMBER_BYTES.get(type) ?? cursor.fail(`must have a value type from 0 to 12, got ${type}`);
  const view = cursor.view(size);
  switch (type) {
    case 0:
      return view.getUint8(0);
    case 1:
      return view.getInt8(0);
    case 2:
      return view.getUint16(0, true);
    case 3:
      return view.getInt16(0, true);
    case GGUF_UINT32:
      return view.getUint32(0, true);
    case 5:
      return view.getInt32(0, true);
    case 6:
      return view.getFloat32(0, true);
    case BOOL:
      return readBool(cursor, view.getUint8(0));
    case 10:
      return view.getBigUint64(0, true);
    case 11:
      return view.getBigInt64(0, true);
    default:
      return view.getFloat64(0, true);
  }
}

function readBool(cursor: GgufCursor, value: number): boolean {
  return value <= 1 ? value === 1 : cursor.fail(`must have 0 or 1 as a bool, got ${value}`);
}

function readArray(cursor: GgufCursor, depth: number): GgufValue {
  if (depth > MAX_GGUF_ARRAY_DEPTH) cursor.failLimit(`must nest arrays at most ${MAX_GGUF_ARRAY_DEPTH} deep`);
  const type = cursor.u32();
  const count = cursor.u64();
  if (type > 12) cursor.fail(`must have elements of a type from 0 to 12, got ${type}`);
  if (type === ARRAY) {
    for (let i = 0; i < count; i++) readArray(cursor, depth + 1);
    return undefined;
  }
  if (depth === 1 && count <= MAX_GGUF_SHOWN_ELEMENTS)
    return Array.from({ length: count }, () => readScalar(cursor, type));
  if (type === GGUF_STRING) {
    // Pieces of a vocabulary need not be UTF-8.
    for (let i = 0; i < count; i++) cursor.skip(cursor.u64());
  } else {
    cursor.skip(count * NUMBER_BYTES.get(type)!);
  }
  return undefined;
}

/** A value as text; undefined where it is too long to be carried along. */
export function ggufText(value: GgufValue): string | undefined {
  if (value === undefined) return undefined;
  const item = (one: GgufScalar): string => (typeof one === 'string' ? JSON.stringify(one) : scalarText(one));
  const text = Array.isArray(value)
    ? `[${(value as readonly GgufScalar[]).map(item).join(',')}]`
    : scalarText(value as GgufScalar);
  return text.length <= MAX_GGUF_SHOWN_TEXT ? text : undefined;
}

/** float32 values as the shortest decimal that means the same float32. */
function scalarText(value: GgufScalar): string {
  if (typeof value !== 'number' || Number.isInteger(value) || Math.fround(value) !== value) return String(value);
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(value);
}

/** A value in a message. */
export function showGgufValue(value: GgufValue): string {
  return value === undefined ? 'a long array' : show(value);
}
