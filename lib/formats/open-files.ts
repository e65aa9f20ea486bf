import type { FileSource } from './file.js';

/** Reads from many files and keeps one of them open at a time: descriptors are few. */
export class OneOpenFile {
  #open: FileSource | undefined;

  read(file: FileSource, target: Uint8Array, position: number): void {
    if (this.#open !== file) this.#open?.release();
    this.#open = file;
    file.readInto(target, position);
  }
}
