import { bytesOf } from './safetensors.js';

/** What goes into a msgpack file: bytes are values that are encoded already. */
export type Pack = number | string | boolean | null | Buffer | readonly Pack[] | { readonly [key: string]: Pack };

const sized = (type: number, length: number, bytes: 1 | 2 | 4): Buffer => {
  const head = Buffer.alloc(1 + bytes);
  head[0] = type;
  head.writeUIntBE(length, 1, bytes);
  return head;
};

/** Text, or the beginning of one of another length. */
export const text = (value: string | Buffer, length?: number): Buffer => {
  const bytes = Buffer.from(value as string);
  const count = length ?? bytes.length;
  const head = count < 32 ? Buffer.of(0xa0 | count) : count < 256 ? sized(0xd9, count, 1) : sized(0xdb, count, 4);
  return Buffer.concat([head, bytes]);
};

export const binary = (bytes: Uint8Array, length = bytes.length): Buffer =>
  Buffer.concat([length < 256 ? sized(0xc4, length, 1) : sized(0xc6, length, 4), bytes]);

export const ext = (code: number, content: Uint8Array, length = content.length): Buffer => {
  const head = length < 256 ? sized(0xc7, length, 1) : sized(0xc9, length, 4);
  return Buffer.concat([head, Buffer.of(code), content]);
};

/** A map of so many pairs; keys and values follow each other in `items`. */
export const map = (items: readonly Pack[], pairs = items.length / 2): Buffer =>
  Buffer.concat([pairs < 16 ? Buffer.of(0x80 | pairs) : sized(0xdf, pairs, 4), ...items.map(pack)]);

export const array = (items: readonly Pack[], length = items.length): Buffer =>
  Buffer.concat([length < 16 ? Buffer.of(0x90 | length) : sized(0xdd, length, 4), ...items.map(pack)]);

const float = (value: number): Buffer => {
  const bytes = Buffer.of(0xcb, 0, 0, 0, 0, 0, 0, 0, 0);
  bytes.writeDoubleBE(value, 1);
  return bytes;
};

const integer = (value: number): Buffer => {
  if (value >= 0 && value < 128) return Buffer.of(value);
  if (value >= -32 && value < 0) return Buffer.of(value + 256);
  const bytes = Buffer.of(value < 0 ? 0xd3 : 0xcf, 0, 0, 0, 0, 0, 0, 0, 0);
  bytes.writeBigInt64BE(BigInt(value), 1);
  return bytes;
};

/** Encodes as the msgpack specification reads, with none of the library's code. */
export function pack(value: Pack): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (value === null) return Buffer.of(0xc0);
  if (typeof value === 'boolean') return Buffer.of(value ? 0xc3 : 0xc2);
  if (typeof value === 'string') return text(value);
  if (typeof value === 'number') return Number.isInteger(value) ? integer(value) : float(value);
  return Array.isArray(value) ? array(value) : map(Object.entries(value as Record<string, Pack>).flat());
}

/** An ndarray as flax.serialization packs it: `code` 3 is a scalar of NumPy. */
export const ndarray = (shape: readonly Pack[], data: ArrayBufferView, dtype: Pack = 'float32', code = 1): Buffer =>
  ext(code, array([array(shape), dtype, binary(bytesOf(data))]));

/** A large array as flax.serialization cuts it. */
export const chunked = (
  shape: readonly number[],
  chunks: readonly Pack[],
  changes: Record<string, Pack> = {},
): Buffer => pack({ __msgpack_chunked_array__: true, shape: numbered(shape), chunks: numbered(chunks), ...changes });

/** A map with the keys "0", "1" and so on, whatever JavaScript would make of their order. */
export const numbered = (items: readonly Pack[]): Buffer => map(items.flatMap((item, i) => [String(i), item]));
