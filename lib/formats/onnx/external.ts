import { realpathSync } from 'node:fs';
import { dirname, relative, isAbsolute } from 'node:path';
import { QgemmError, show } from '../../errors.js';
import { FileSource, ioError } from '../file.js';
import { MAX_SHARDS } from '../limits.js';
import { OneOpenFile } from '../open-files.js';
import { containedPath } from '../paths.js';
import type { SourceTensor } from '../source.js';

const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/;

/** The files beside an ONNX model that hold its large tensors. */
export class ExternalFiles {
  readonly #model: string;
  readonly #files = new Map<string, FileSource>();
  readonly #reader = new OneOpenFile();

  /** @param model path of the model file: locations are relative to its folder */
  constructor(model: string) {
    this.#model = model;
  }

  get files(): readonly FileSource[] {
    return [...this.#files.values()];
  }

  /**
   * Checks where the `length` bytes of a tensor lie (location, offset, length of its external_data); returns how they are
   * read.
   *
   * @throws QgemmError PATH for a location outside the model's folder, by its name or by a link; FORMAT, IO, LIMIT
   */
  open(what: string, entries: ReadonlyMap<string, string>, length: number): SourceTensor['readInto'] {
    const location = entries.get('location');
    if (location === undefined) throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have a location of its data`);
    const offset = integer(what, 'offset', entries.get('offset') ?? '0');
    const file = this.#file(what, location);
    const given = entries.get('length');
    const got = given === undefined ? file.size - offset : integer(what, 'length', given);
    // Without a length, the data reaches to the end of the file or as far as the shape asks for.
    if (given === undefined ? got < length : got !== length) {
      throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have ${length} bytes for its shape, but has ${got}`);
    }
    if (offset + length > file.size) {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `${what} must lie within ${show(location)}, but ends at byte ${offset + length} of ${file.size}`,
      );
    }
    return (target, position) => this.#reader.read(file, target, offset + position);
  }

  release(): void {
    for (const file of this.#files.values()) file.release();
  }

  #file(what: string, location: string): FileSource {
    const known = this.#files.get(location);
    if (known !== undefined) return known;
    if (this.#files.size === MAX_SHARDS) {
      throw new QgemmError('ERR_QGEMM_LIMIT', `an ONNX model must have at most ${MAX_SHARDS} files of external data`);
    }
    const path = containedPath(dirname(this.#model), location, `the location of ${what}`);
    checkLinks(this.#model, path, location, what);
    const file = new FileSource(path);
    file.release();
    this.#files.set(location, file);
    return file;
  }
}

/**
 * A link may not lead out of the model's folder. Where the model is a link itself, as in download caches, the folder that it
 * leads to counts too.
 */
function checkLinks(model: string, path: string, location: string, what: string): void {
  let target: string;
  let folders: string[];
  try {
    target = realpathSync(path);
    folders = [realpathSync(dirname(model)), dirname(realpathSync(model))];
  } catch (error) {
    throw ioError('read', path, error);
  }
  if (folders.some((folder) => isInside(folder, target))) return;
  throw new QgemmError(
    'ERR_QGEMM_PATH',
    `the location of ${what} must not lead out of the model's folder by a link, got ${show(location)}`,
  );
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && !isAbsolute(way) && !/^\.\.(?:[\\/]|$)/.test(way);
}

function integer(what: string, key: string, value: string): number {
  if (!DECIMAL.test(value) || !Number.isSafeInteger(Number(value))) {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must have an integer below 2^53 as ${key}, got ${show(value)}`);
  }
  return Number(value);
}
