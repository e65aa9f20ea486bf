import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { QgemmError, show } from '../errors.js';

/** Bytes that can be read by position: a file, or a mapping of one. */
export interface ByteSource {
  readonly path: string;
  readonly size: number;
  /** Fills `target` from `position` on; the range must lie inside. */
  readInto(target: Uint8Array, position: number): void;
}

/** The error for a failed call to the operating system: names path and reason, keeps the original as its cause. */
export function ioError(action: string, path: string, cause: unknown): QgemmError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason = typeof message === 'string' ? message.split(',')[0]! : String(cause);
  return new QgemmError('ERR_QGEMM_IO', `cannot ${action} ${show(path)}: ${reason || code}`, { cause });
}

// Without O_NONBLOCK, opening a FIFO would wait for its writer.
const READ_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** A regular file that is read by offset. Refuses everything else, and a file that changes between two openings. */
export class FileSource implements ByteSource {
  readonly path: string;
  readonly size: number;
  readonly #identity: string;
  #fd: number | undefined;

  constructor(path: string) {
    this.path = path;
    const stats = this.#open();
    if (!stats.isFile()) {
      this.release();
      throw new QgemmError('ERR_QGEMM_IO', `cannot read ${show(path)}: it is not a regular file`);
    }
    this.size = stats.size;
    this.#identity = identity(stats);
  }

  readInto(target: Uint8Array, position: number): void {
    if (this.#fd === undefined && identity(this.#open()) !== this.#identity) {
      this.release();
      throw new QgemmError('ERR_QGEMM_IO', `cannot read ${show(this.path)}: it changed while it was being read`);
    }
    for (let done = 0; done < target.length;) {
      let count: number;
      try {
        count = readSync(this.#fd!, target, done, Math.min(target.length - done, 2 ** 30), position + done);
      } catch (error) {
        throw ioError('read', this.path, error);
      }
      if (count === 0) {
        throw new QgemmError(
          'ERR_QGEMM_IO',
          `cannot read ${show(this.path)}: it ended at byte ${position + done} of ${this.size}`,
        );
      }
      done += count;
    }
  }

  /** Closes the descriptor; the next read opens the file again. */
  release(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): Stats {
    try {
      this.#fd = openSync(this.path, READ_FLAGS);
      return fstatSync(this.#fd);
    } catch (error) {
      this.release();
      throw ioError('read', this.path, error);
    }
  }
}

function identity(stats: Stats): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}`;
}

/** Reads a part of a source into new memory. */
export function readBytes(source: ByteSource, position: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  source.readInto(bytes, position);
  return bytes;
}
