import { QgemmError } from '../../errors.js';

/** An error about a pickle that is damaged or asks for what is not allowed. */
export function pickleError(what: string, problem: string): QgemmError {
  return new QgemmError('ERR_QGEMM_PICKLE', `${what} ${problem}`);
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const NEWLINE = 0x0a;

/** The arguments of opcodes, read one after another. Every length is checked before it is used. */
export class PickleReader {
  position: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;

  constructor(what: string, bytes: Uint8Array, position: number) {
    this.#what = what;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = position;
  }

  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Lengths beyond the file are refused by whoever takes as many bytes. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  /** Big-endian, as only this type is. */
  float64(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  text(length: number): string {
    return this.#decode(this.bytes(length));
  }

  /** Up to the next newline, which is skipped. */
  line(): string {
    const end = this.#bytes.indexOf(NEWLINE, this.position);
    if (end < 0) throw pickleError(this.#what, `must have a newline after byte ${this.position}, but ends`);
    const text = this.text(end - this.position);
    this.position = end + 1;
    return text;
  }

  /** Little-endian, two's complement. */
  long(length: number): number | bigint {
    const bytes = this.bytes(length);
    let value = 0n;
    for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    value = BigInt.asIntN(8 * bytes.length, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #take(length: number): number {
    const start = this.position;
    if (length > this.#bytes.length - start) {
      throw pickleError(
        this.#what,
        `must hold ${length} more bytes at byte ${start}, but has ${this.#bytes.length - start}`,
      );
    }
    this.position = start + length;
    return start;
  }

  #decode(bytes: Uint8Array): string {
    try {
      return UTF8.decode(bytes);
    } catch {
      throw pickleError(this.#what, `must hold text in UTF-8, but has other bytes before byte ${this.position}`);
    }
  }
}
