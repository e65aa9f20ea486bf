import { QgemmError } from '../errors.js';
import { readBytes, type ByteSource } from './file.js';
import { MAX_GGUF_HEADER_BYTES } from './limits.js';

const WINDOW_BYTES = 2 ** 18;
const HIGH = 2 ** 32;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads the header of a GGUF file from front to back, a window at a time. Every length is compared with what is left of
 * the file before it is used.
 */
export class GgufCursor {
  /** What is being read, for messages: `key "general.name"`. */
  what = 'the header';
  readonly file: string;
  readonly #source: ByteSource;
  /** No byte of the header lies here or beyond. */
  readonly #end: number;
  #window: Buffer = Buffer.alloc(0);
  #windowStart = 0;
  #position = 0;

  /** `file` is the name to show. */
  constructor(source: ByteSource, file: string) {
    this.#source = source;
    this.file = file;
    this.#end = Math.min(source.size, MAX_GGUF_HEADER_BYTES);
  }

  get position(): number {
    return this.#position;
  }

  /** Throws FORMAT naming what is being read. */
  fail(message: string): never {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${this.what} of ${this.file} ${message}`);
  }

  /** Throws LIMIT naming what is being read. */
  failLimit(message: string): never {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${this.what} of ${this.file} ${message}`);
  }

  /** Goes over bytes that nobody looks at. */
  skip(length: number): void {
    this.#check(length);
    this.#position += length;
  }

  u32(): number {
    const at = this.#take(4);
    return this.#window.readUInt32LE(at);
  }

  /** A length, count or offset. Beyond 2^53 it is rounded, which is as much too large as it was. */
  u64(): number {
    const at = this.#take(8);
    return this.#window.readUInt32LE(at + 4) * HIGH + this.#window.readUInt32LE(at);
  }

  /** Up to 8 bytes, valid until the next call. */
  view(length: number): DataView {
    const at = this.#take(length);
    return new DataView(this.#window.buffer, this.#window.byteOffset + at, length);
  }

  /** A string: its length in bytes, then UTF-8. `limit` is a cap of limits.ts. */
  string(limit: number): string {
    const length = this.u64();
    this.#check(length);
    if (length > limit) this.failLimit(`must have at most ${limit} bytes, got ${length}`);
    const at = this.#take(length);
    try {
      return UTF8.decode(this.#window.subarray(at, at + length));
    } catch {
      return this.fail('must be UTF-8');
    }
  }

  #check(length: number): void {
    if (length <= this.#end - this.#position) return;
    if (length <= this.#source.size - this.#position) {
      throw new QgemmError(
        'ERR_QGEMM_LIMIT',
        `the header of ${this.file} must have at most ${MAX_GGUF_HEADER_BYTES} bytes, but ${this.what} goes beyond`,
      );
    }
    this.fail(
      `needs ${length} bytes at byte ${this.#position}, but the file has ${this.#source.size}: it is truncated or lies`,
    );
  }

  /** Makes the next bytes available together; returns where they are in the window. */
  #take(length: number): number {
    this.#check(length);
    let at = this.#position - this.#windowStart;
    if (at + length > this.#window.length) {
      const available = Math.min(Math.max(WINDOW_BYTES, length), this.#end - this.#position);
      this.#window = Buffer.from(readBytes(this.#source, this.#position, available).buffer);
      this.#windowStart = this.#position;
      at = 0;
    }
    this.#position += length;
    return at;
  }
}
