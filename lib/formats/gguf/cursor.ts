import { QgemmError } from '../../errors.js';
import type { ByteSource } from '../file.js';
import { MAX_GGUF_HEADER_BYTES } from '../limits.js';
import { ByteWindow } from '../window.js';

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
  readonly #size: number;
  /** No byte of the header lies here or beyond. */
  readonly #end: number;
  readonly #window: ByteWindow;
  #position = 0;

  /** `file` is the name to show. */
  constructor(source: ByteSource, file: string) {
    this.#size = source.size;
    this.#window = new ByteWindow(source, WINDOW_BYTES);
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
    return this.#window.bytes.readUInt32LE(at);
  }

  /** A length, count or offset. Beyond 2^53 it is rounded, which is as much too large as it was. */
  u64(): number {
    const at = this.#take(8);
    const { bytes } = this.#window;
    return bytes.readUInt32LE(at + 4) * HIGH + bytes.readUInt32LE(at);
  }

  /** Up to 8 bytes, valid until the next call. */
  view(length: number): DataView {
    const at = this.#take(length);
    const { bytes } = this.#window;
    return new DataView(bytes.buffer, bytes.byteOffset + at, length);
  }

  /** A string: its length in bytes, then UTF-8. `limit` is a cap of limits.ts. */
  string(limit: number): string {
    const length = this.u64();
    this.#check(length);
    if (length > limit) this.failLimit(`must have at most ${limit} bytes, got ${length}`);
    const at = this.#take(length);
    try {
      return UTF8.decode(this.#window.bytes.subarray(at, at + length));
    } catch {
      return this.fail('must be UTF-8');
    }
  }

  #check(length: number): void {
    if (length <= this.#end - this.#position) return;
    if (length <= this.#size - this.#position) {
      throw new QgemmError(
        'ERR_QGEMM_LIMIT',
        `the header of ${this.file} must have at most ${MAX_GGUF_HEADER_BYTES} bytes, but ${this.what} goes beyond`,
      );
    }
    this.fail(
      `needs ${length} bytes at byte ${this.#position}, but the file has ${this.#size}: it is truncated or lies`,
    );
  }

  /** Makes the next bytes available together; returns where they are in the window. */
  #take(length: number): number {
    this.#check(length);
    const at = this.#window.load(this.#position, length);
    this.#position += length;
    return at;
  }
}
