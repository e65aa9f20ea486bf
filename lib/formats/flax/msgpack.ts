import { QgemmError, show } from '../../errors.js';
import type { ByteSource } from '../file.js';
import { MAX_MSGPACK_VALUES } from '../limits.js';
import { ByteWindow } from '../window.js';

/** The beginning of a value: what it is, and, where its content follows, how much of that there is. */
export type MsgpackHead =
  | { readonly kind: 'nil' }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'integer'; /** A bigint beyond 2^53. */ readonly value: number | bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'text'; /** In bytes. */ readonly length: number }
  | { readonly kind: 'binary'; readonly length: number }
  | { readonly kind: 'ext'; readonly length: number; readonly code: number }
  | { readonly kind: 'array'; /** In values. */ readonly length: number }
  | { readonly kind: 'map'; /** In pairs of values. */ readonly length: number };

export type MsgpackKind = MsgpackHead['kind'];

const WINDOW_BYTES = 2 ** 14;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Walks the values of a MessagePack file by offset. Content is skipped until it is asked for, and every length is compared
 * with what is left of the file before it is used. A walk visits a bounded number of values.
 */
export class MsgpackReader {
  /** The keys on the way to what is being read, for messages. */
  path = '';
  /** The name to show. */
  readonly file: string;
  readonly #size: number;
  readonly #window: ByteWindow;
  #position = 0;
  #values = 0;

  constructor(source: ByteSource, file: string) {
    this.file = file;
    this.#size = source.size;
    this.#window = new ByteWindow(source, WINDOW_BYTES);
  }

  get position(): number {
    return this.#position;
  }

  /** What is being read and of which file, for messages. */
  get what(): string {
    return `${this.path === '' ? 'the outermost value' : show(this.path)} of ${this.file}`;
  }

  /** Throws FORMAT naming what is being read. */
  fail(problem: string): never {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${this.what} ${problem}`);
  }

  /** Throws LIMIT naming what is being read. */
  failLimit(problem: string): never {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${this.what} ${problem}`);
  }

  skip(length: number): void {
    this.#check(length);
    this.#position += length;
  }

  /** The next value's beginning; after it comes its content. */
  head(): MsgpackHead {
    if (++this.#values > MAX_MSGPACK_VALUES) {
      throw new QgemmError('ERR_QGEMM_LIMIT', `${this.file} must have at most ${MAX_MSGPACK_VALUES} values`);
    }
    const byte = this.#unsigned(1);
    if (byte < 0x80) return { kind: 'integer', value: byte };
    if (byte < 0x90) return this.#sized('map', byte & 15);
    if (byte < 0xa0) return this.#sized('array', byte & 15);
    if (byte < 0xc0) return this.#sized('text', byte & 31);
    if (byte >= 0xe0) return { kind: 'integer', value: byte - 256 };
    return this.#marked(byte);
  }

  /** The next value, which must be of a kind. */
  expect<K extends MsgpackKind>(kind: K, problem: string): Extract<MsgpackHead, { kind: K }> {
    const head = this.head();
    if (head.kind !== kind) this.fail(`${problem}, got ${aKind(head.kind)}`);
    return head as Extract<MsgpackHead, { kind: K }>;
  }

  /** The content of a text that has begun: UTF-8 of so many bytes, of which a cap allows `limit`. */
  text(length: number, limit: number): string {
    if (length > limit) this.failLimit(`must have texts of at most ${limit} bytes there, got ${length}`);
    const at = this.#take(length);
    try {
      return UTF8.decode(this.#window.bytes.subarray(at, at + length));
    } catch {
      return this.fail('must be UTF-8');
    }
  }

  /** Types from 0xc0 to 0xdf. */
  #marked(byte: number): MsgpackHead {
    switch (byte) {
      case 0xc0:
        return { kind: 'nil' };
      case 0xc2:
      case 0xc3:
        return { kind: 'bool', value: byte === 0xc3 };
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#sized('binary', this.#unsigned(1 << (byte - 0xc4)));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#ext(this.#unsigned(1 << (byte - 0xc7)));
      case 0xca:
        return { kind: 'float', value: this.#window.bytes.readFloatBE(this.#take(4)) };
      case 0xcb:
        return { kind: 'float', value: this.#window.bytes.readDoubleBE(this.#take(8)) };
      case 0xcc:
      case 0xcd:
      case 0xce:
        return { kind: 'integer', value: this.#unsigned(1 << (byte - 0xcc)) };
      case 0xcf:
        return integer(this.#window.bytes.readBigUInt64BE(this.#take(8)));
      case 0xd0:
      case 0xd1:
      case 0xd2:
        return { kind: 'integer', value: this.#signed(1 << (byte - 0xd0)) };
      case 0xd3:
        return integer(this.#window.bytes.readBigInt64BE(this.#take(8)));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#ext(1 << (byte - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#sized('text', this.#unsigned(1 << (byte - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#sized('array', this.#unsigned(2 << (byte - 0xdc)));
      case 0xde:
      case 0xdf:
        return this.#sized('map', this.#unsigned(2 << (byte - 0xde)));
      default:
        return this.fail('must be MessagePack, but begins with the byte 0xc1');
    }
  }

  /** Every value that is announced takes a byte at least, every pair two. */
  #sized(kind: 'text' | 'binary' | 'array' | 'map', length: number): MsgpackHead {
    this.#check(kind === 'map' ? 2 * length : length);
    return { kind, length };
  }

  #ext(length: number): MsgpackHead {
    const code = this.#signed(1);
    this.#check(length);
    return { kind: 'ext', length, code };
  }

  #unsigned(length: number): number {
    const at = this.#take(length);
    return this.#window.bytes.readUIntBE(at, length);
  }

  #signed(length: number): number {
    const at = this.#take(length);
    return this.#window.bytes.readIntBE(at, length);
  }

  #check(length: number): void {
    if (length <= this.#size - this.#position) return;
    this.fail(
      `needs ${length} bytes at byte ${this.#position}, but the file has ${this.#size}: it is truncated or lies`,
    );
  }

  /** Goes over the next bytes; returns where they are in the window. */
  #take(length: number): number {
    this.#check(length);
    const at = this.#window.load(this.#position, length);
    this.#position += length;
    return at;
  }
}

function integer(value: bigint): MsgpackHead {
  const number = Number(value);
  return { kind: 'integer', value: Number.isSafeInteger(number) ? number : value };
}

function aKind(kind: MsgpackKind): string {
  return kind === 'nil' ? 'nil' : `${/^[aei]/.test(kind) ? 'an' : 'a'} ${kind}`;
}
