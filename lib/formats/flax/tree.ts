import { show } from '../../errors.js';
import { CHUNKED_KEY, readChunkedArray, readFlaxArray, readKey, type FlaxArray } from './array.js';
import { MAX_FILE_TENSORS, MAX_FLAX_DEPTH, MAX_FLAX_NAME_BYTES } from '../limits.js';
import type { MsgpackHead, MsgpackReader } from './msgpack.js';

/** What a Flax checkpoint holds, by name. */
export interface FlaxTree {
  readonly arrays: ReadonlyMap<string, FlaxArray>;
  /** Strings and numbers beside the arrays: step, epoch. */
  readonly texts: ReadonlyMap<string, string>;
}

/** flax.serialization's types of msgpack extensions. */
const EXT = { ndarray: 1, complex: 2, scalar: 3 } as const;

/** The outermost key of an optimizer's state, which is left out: its arrays have the names of the weights that they belong to. */
const OPTIMIZER_KEY = 'opt_state';

/** Texts are for people to read; settings are short. */
const MAX_TEXT_LENGTH = 1000;
const MAX_TEXTS = 1000;

/**
 * The arrays of a checkpoint: maps in maps, or lists, down to arrays. Names are the keys on the way to them, joined by
 * slashes, as Flax's own `flatten_dict(sep='/')` and the indexes of checkpoints in several files have them.
 *
 * @param reader at the outermost map
 * @param size bytes of the file, which the map must fill
 * @throws QgemmError FORMAT, LIMIT, DTYPE
 */
export function readFlaxTree(reader: MsgpackReader, size: number): FlaxTree {
  const walk = new FlaxWalk(reader);
  walk.map('', reader.expect('map', 'must be a map').length, 1);
  if (reader.position !== size) {
    reader.path = '';
    reader.fail(`must fill the file, but ${size - reader.position} bytes follow it`);
  }
  return walk;
}

class FlaxWalk implements FlaxTree {
  readonly arrays = new Map<string, FlaxArray>();
  readonly texts = new Map<string, string>();
  readonly #reader: MsgpackReader;
  #nameBytes = 0;
  #isLeftOut = false;

  constructor(reader: MsgpackReader) {
    this.#reader = reader;
  }

  /** The pairs of a map that has begun. `name` is what leads to it, with a slash. */
  map(name: string, pairs: number, depth: number): void {
    const keys = new Set<string>();
    for (let i = 0; i < pairs; i++) {
      this.#reader.path = name.slice(0, -1);
      const key = readKey(this.#reader);
      this.#count(key.length);
      if (key === CHUNKED_KEY && name !== '') {
        if (i > 0) this.#reader.fail(`must have ${show(CHUNKED_KEY)} as its first key`);
        return this.#add(name.slice(0, -1), readChunkedArray(this.#reader, pairs, [EXT.ndarray]));
      }
      if (keys.has(key)) this.#reader.fail(`must have every key once, but has ${show(key)} twice`);
      keys.add(key);
      this.#isLeftOut = depth === 1 ? key === OPTIMIZER_KEY : this.#isLeftOut;
      this.#value(name + key, depth);
    }
    if (keys.has(OPTIMIZER_KEY) && depth === 1) this.texts.set('left_out', OPTIMIZER_KEY);
  }

  #value(name: string, depth: number): void {
    this.#count(name.length);
    this.#reader.path = name;
    const head = this.#reader.head();
    switch (head.kind) {
      case 'map':
        return this.map(`${name}/`, head.length, this.#inner(depth));
      case 'array':
        for (let i = 0; i < head.length; i++) this.#value(`${name}/${i}`, this.#inner(depth));
        return;
      case 'ext':
        return this.#ext(name, head);
      case 'binary':
        return this.#reader.skip(head.length);
      case 'text':
        if (head.length > MAX_TEXT_LENGTH) return this.#reader.skip(head.length);
        return this.#addText(name, this.#reader.text(head.length, MAX_TEXT_LENGTH));
      case 'nil':
        return;
      default:
        return this.#addText(name, String(head.value));
    }
  }

  #inner(depth: number): number {
    if (depth >= MAX_FLAX_DEPTH) this.#reader.failLimit(`must nest at most ${MAX_FLAX_DEPTH} maps`);
    return depth + 1;
  }

  #ext(name: string, { code, length }: Extract<MsgpackHead, { kind: 'ext' }>): void {
    const reader = this.#reader;
    if (code === EXT.ndarray || code === EXT.scalar) return this.#add(name, readFlaxArray(reader, length));
    if (code !== EXT.complex) reader.fail(`must be of an ext type from 1 to 3, got ${code}`);
    const end = reader.position + length;
    const parts = reader.expect('array', 'must be a complex number of two parts').length;
    if (parts !== 2) reader.fail(`must be a complex number of two parts, got ${parts}`);
    const [real, imaginary] = [1, 2].map(() => reader.expect('float', 'must be a complex number of two floats').value);
    if (reader.position !== end) reader.fail('must be a complex number that fills its bytes');
    this.#addText(name, `${real} ${imaginary}`);
  }

  #addText(name: string, text: string): void {
    if (!this.#isLeftOut && this.texts.size < MAX_TEXTS) this.texts.set(name, text);
  }

  #add(name: string, array: FlaxArray): void {
    if (this.#isLeftOut) return;
    if (name === '__metadata__' || this.arrays.has(name)) {
      const problem = this.arrays.has(name) ? 'is the name of two arrays' : 'is not a name that a tensor can have';
      this.#reader.fail(`must have a name of its own, but that ${problem}`);
    }
    if (this.arrays.size === MAX_FILE_TENSORS)
      this.#reader.failLimit(`must be one of at most ${MAX_FILE_TENSORS} arrays`);
    this.arrays.set(name, array);
  }

  #count(bytes: number): void {
    this.#nameBytes += bytes;
    if (this.#nameBytes > MAX_FLAX_NAME_BYTES) {
      this.#reader.failLimit(`must have at most ${MAX_FLAX_NAME_BYTES} bytes of names before it`);
    }
  }
}
