import type { ByteSource } from './file.js';

/**
 * A piece of a source in memory, for readers that walk it from front to back by a few bytes at a time: what they ask for is
 * read with what follows it.
 */
export class ByteWindow {
  /** Where {@link load} has put what it was asked for. */
  bytes: Buffer = Buffer.alloc(0);
  readonly #source: ByteSource;
  readonly #size: number;
  #start = 0;

  /** `size` is how much to read at least, where the source has as much. */
  constructor(source: ByteSource, size: number) {
    this.#source = source;
    this.#size = size;
  }

  /** Makes a range of the source available, until the next call; returns where in `bytes` it begins. */
  load(start: number, length: number): number {
    const inside = start >= this.#start && start + length <= this.#start + this.bytes.length;
    if (!inside) {
      const size = Math.min(Math.max(length, this.#size), this.#source.size - start);
      if (this.bytes.length !== size) this.bytes = Buffer.from(new ArrayBuffer(size));
      // Should the read fail, the window must not pass for what it was meant to be.
      this.#start = Infinity;
      this.#source.readInto(this.bytes, start);
      this.#start = start;
    }
    return start - this.#start;
  }
}
