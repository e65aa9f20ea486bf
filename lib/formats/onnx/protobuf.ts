import { QgemmError } from '../../errors.js';
import type { ByteSource } from '../file.js';
import { MAX_PROTO_FIELDS, MAX_PROTO_STRING } from '../limits.js';
import { ByteWindow } from '../window.js';

/** A range of bytes of the file. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** How the value of a field is stored. Groups (3 and 4) are refused. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** One field of a message, with its place in the file. The bytes of long values have not been read. */
export interface ProtoField {
  readonly number: number;
  readonly wire: number;
  /** Where the field begins, with its tag. */
  readonly begin: number;
  /** The value: of bytes without their length. */
  readonly start: number;
  readonly end: number;
  /** Of a varint: as int64; beyond 2^53 it is the nearest double. 0 for others. */
  readonly value: number;
}

const WINDOW_BYTES = 64 * 2 ** 10;

/**
 * Walks protobuf messages in a file by offset: a window of 64 KB is in memory, values are skipped until they are asked for.
 * Everything is checked before it is used: lengths end inside their message, varints have at most 10 bytes and 64 bits,
 * strings are UTF-8. A walk visits a bounded number of fields.
 */
export class ProtoReader {
  readonly source: ByteSource;
  readonly #what: string;
  readonly #window: ByteWindow;
  #fields = 0;
  // Of the varint read last: two halves of 32 bits, and the byte after it.
  #low = 0;
  #high = 0;
  #next = 0;

  constructor(source: ByteSource, what: string) {
    this.source = source;
    this.#window = new ByteWindow(source, WINDOW_BYTES);
    this.#what = what;
  }

  /** The fields of the message in a range, one after another. */
  *fields({ start, end }: Span): Generator<ProtoField, void> {
    for (let at = start; at < end;) {
      this.#count();
      const field = this.#field(at, end);
      at = field.end;
      yield field;
    }
  }

  /** The values of a field of int64s, packed or single; beyond 2^53 they are the nearest double. */
  *int64s(field: ProtoField): Generator<number, void> {
    if (field.wire === WIRE.varint) {
      yield field.value;
      return;
    }
    this.expect(field, WIRE.bytes, 'a list of integers');
    for (let at = field.start; at < field.end; at = this.#next) {
      this.#count();
      this.#varint(at, field.end);
      yield this.#signed();
    }
  }

  text(field: ProtoField, what: string): string {
    this.expect(field, WIRE.bytes, what);
    if (field.end - field.start > MAX_PROTO_STRING) {
      throw new QgemmError(
        'ERR_QGEMM_LIMIT',
        `${what} in ${this.#what} must have at most ${MAX_PROTO_STRING} bytes, got ${field.end - field.start}`,
      );
    }
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.bytes(field));
    } catch (cause) {
      if (cause instanceof QgemmError) throw cause;
      throw new QgemmError('ERR_QGEMM_FORMAT', `${what} in ${this.#what} must be UTF-8, but holds other bytes`, {
        cause,
      });
    }
  }

  float32(field: ProtoField, what: string): number {
    this.expect(field, WIRE.fixed32, what);
    const bytes = this.bytes(field);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
  }

  /** Checks how a field is stored, since a walk that misreads one value misreads the rest. */
  expect(field: ProtoField, wire: number, what: string): void {
    if (field.wire !== wire) this.fail(field.begin, `${what} must have wire type ${wire}, got ${field.wire}`);
  }

  fail(at: number, problem: string): never {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${this.#what} must be well-formed protobuf: at byte ${at}, ${problem}`);
  }

  /** The bytes of a short range. Valid until the next call. */
  bytes({ start, end }: Span): Uint8Array {
    const at = this.#window.load(start, end - start);
    return this.#window.bytes.subarray(at, at + end - start);
  }

  #count(): void {
    if (++this.#fields > MAX_PROTO_FIELDS) {
      throw new QgemmError('ERR_QGEMM_LIMIT', `${this.#what} must have at most ${MAX_PROTO_FIELDS} fields`);
    }
  }

  #field(begin: number, limit: number): ProtoField {
    this.#varint(begin, limit);
    const number = Math.floor(this.#low / 8);
    const wire = this.#low % 8;
    if (this.#high !== 0 || number === 0) this.fail(begin, 'a field number is 0 or beyond 2^29 - 1');
    let start = this.#next;
    let end = start;
    let value = 0;
    if (wire === WIRE.varint) {
      this.#varint(start, limit);
      end = this.#next;
      value = this.#signed();
    } else if (wire === WIRE.bytes) {
      this.#varint(start, limit);
      start = this.#next;
      end = start + this.#high * 2 ** 32 + this.#low;
    } else if (wire === WIRE.fixed32 || wire === WIRE.fixed64) {
      end = start + (wire === WIRE.fixed32 ? 4 : 8);
    } else {
      this.fail(begin, `field ${number} has the wire type ${wire}, which is not read`);
    }
    if (end > limit) this.fail(begin, `field ${number} ends ${end - limit} bytes after what it is in`);
    return { number, wire, begin, start, end, value };
  }

  #varint(at: number, limit: number): void {
    const length = Math.min(10, limit - at);
    const offset = this.#window.load(at, length);
    const { bytes } = this.#window;
    let low = 0;
    let high = 0;
    for (let i = 0; i < length; ++i) {
      const byte = bytes[offset + i]!;
      const bits = byte & 0x7f;
      if (i < 4) low += bits * 2 ** (7 * i);
      else if (i > 4) high += bits * 2 ** (7 * i - 32);
      else {
        low += (bits & 0x0f) * 2 ** 28;
        high = bits >> 4;
      }
      if (byte !== bits) continue;
      if (high >= 2 ** 32) break;
      this.#low = low;
      this.#high = high;
      this.#next = at + i + 1;
      return;
    }
    this.fail(at, length < 10 ? 'a varint does not end' : 'a varint has more than 64 bits');
  }

  #signed(): number {
    return (this.#high | 0) * 2 ** 32 + this.#low;
  }
}
