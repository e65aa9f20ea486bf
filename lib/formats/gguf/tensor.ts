import { native } from '../../native.js';
import { elementsOf, type Dtype } from '../dtypes.js';
import { readBytes, type ByteSource } from '../file.js';
import type { GgufTensorEntry } from './header.js';
import type { GgufType } from './types.js';
import { CHUNK_BYTES } from '../limits.js';
import type { SourceTensor } from '../source.js';

/** A tensor of a validated GGUF file. */
export class GgufTensor implements SourceTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** How the file holds it, where, and how many bytes that takes. */
  readonly type: GgufType;
  readonly storedOffset: number;
  readonly storedBytes: number;
  readonly stored?: { readonly type: string; readonly byteLength: number };
  readonly #source: ByteSource;

  constructor(source: ByteSource, name: string, { type, shape, offset, byteLength }: GgufTensorEntry) {
    this.name = name;
    this.dtype = type.plain ?? 'F32';
    this.shape = shape;
    this.byteLength = type.plain === undefined ? elementsOf(shape) * 4 : byteLength;
    this.type = type;
    this.storedBytes = byteLength;
    if (type.plain === undefined) this.stored = { type: type.name, byteLength };
    this.#source = source;
    this.storedOffset = offset;
  }

  /** Fills `target` with the bytes of the file from `position` of the tensor on. */
  readStored(target: Uint8Array, position: number): void {
    this.#source.readInto(target, this.storedOffset + position);
  }

  readInto(target: Uint8Array, position: number): void {
    if (this.type.plain !== undefined) return this.readStored(target, position);
    for (let done = 0; done < target.length; done += CHUNK_BYTES) {
      this.#decode(target.subarray(done, done + CHUNK_BYTES), (position + done) / 4);
    }
  }

  /** Decodes values from the `first`-th on. Only the blocks that hold them are read. */
  #decode(target: Uint8Array, first: number): void {
    const { name, blockElements, blockBytes } = this.type;
    const firstBlock = Math.floor(first / blockElements);
    const endBlock = Math.ceil((first + target.length / 4) / blockElements);
    const offset = this.storedOffset + firstBlock * blockBytes;
    const blocks = readBytes(this.#source, offset, (endBlock - firstBlock) * blockBytes);
    native.ggufDequantize(name, blocks, first - firstBlock * blockElements, target);
  }
}
