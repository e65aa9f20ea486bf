import { QgemmError, show } from '../../errors.js';
import { GGUF_DEFAULT_ALIGNMENT, GGUF_MAGIC, GGUF_MAX_RANK } from './header.js';
import type { GgufType } from './types.js';
import { GGUF_STRING, GGUF_UINT32 } from './values.js';

const VERSION = 3;
/** ggml keeps names in 64 bytes, one of which is the end. */
const MAX_NAME_BYTES = 63;

/** What a GGUF header says about a tensor. */
export interface GgufOutput {
  readonly name: string;
  readonly type: GgufType;
  /** Slowest dimension first. */
  readonly shape: readonly number[];
  readonly byteLength: number;
}

/** Bytes that a tensor takes in the file: the next one begins at a multiple of the alignment. */
export function ggufPadded(byteLength: number): number {
  return Math.ceil(byteLength / GGUF_DEFAULT_ALIGNMENT) * GGUF_DEFAULT_ALIGNMENT;
}

/** Key, type and value as they lie in a file. */
export function ggufUint32(key: string, value: number): Uint8Array {
  return Buffer.concat([text(key), u32(GGUF_UINT32), u32(value)]);
}

export function ggufString(key: string, value: string): Uint8Array {
  return Buffer.concat([text(key), u32(GGUF_STRING), text(value)]);
}

/**
 * Everything before the data of a GGUF file of version 3: the tensors follow in the given order, each padded.
 *
 * @throws QgemmError LIMIT for names and ranks that ggml does not read
 */
export function encodeGgufHeader(keys: readonly Uint8Array[], tensors: readonly GgufOutput[]): Uint8Array {
  const parts: Uint8Array[] = [u32(GGUF_MAGIC), u32(VERSION), u64(tensors.length), u64(keys.length), ...keys];
  let offset = 0;
  for (const { name, type, shape, byteLength } of tensors) {
    check(name, shape);
    // A scalar is a vector of one value to ggml.
    const dims = shape.length === 0 ? [1] : [...shape].reverse();
    parts.push(text(name), u32(dims.length), ...dims.map(u64), u32(type.id), u64(offset));
    offset += ggufPadded(byteLength);
  }
  const header = Buffer.concat(parts);
  return Buffer.concat([header], ggufPadded(header.length));
}

function check(name: string, shape: readonly number[]): void {
  const length = Buffer.byteLength(name);
  if (length > MAX_NAME_BYTES) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `tensor ${show(name)} must have a name of at most ${MAX_NAME_BYTES} bytes to be written to GGUF, got ${length}`,
    );
  }
  if (shape.length > GGUF_MAX_RANK) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `tensor ${show(name)} must have at most ${GGUF_MAX_RANK} dimensions to be written to GGUF, got ${show(shape)}`,
    );
  }
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
