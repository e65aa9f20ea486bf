import { basename, dirname, join } from 'node:path';
import { QgemmError, show } from '../../errors.js';
import { FileSource, type ByteSource } from '../file.js';
import { readGgufHeader, type GgufHeader } from './header.js';
import { showGgufValue } from './values.js';
import { MAX_SHARDS } from '../limits.js';
import { OneOpenFile } from '../open-files.js';

/** One file of a model, with its header. */
export interface GgufPart {
  readonly file: FileSource;
  readonly header: GgufHeader;
  /** Where its tensors are read from. */
  readonly bytes: ByteSource;
}

/** What ggml's gguf-split calls the files: `name-00001-of-00003.gguf`. */
const FIRST_NAME = /^(.*)-00001-of-(\d{5})\.gguf$/s;

/** A part of a model that its first part leads to. */
export const LATER_GGUF_PART: RegExp = /-(?!00001-of-)\d{5}-of-\d{5}\.gguf$/;

/**
 * All files of a model of which `file` is the only or the first one. A file that was split says so in its keys
 * (`split.count`, `split.no` from 0 on, `split.tensors.count`); the others are found by their names.
 */
export function openGgufParts(file: FileSource): [GgufPart, ...GgufPart[]] {
  const header = readGgufHeader(file);
  const count = header.keys.get('split.count')?.value ?? 1;
  if (count === 0 || count === 1) return [{ file, header, bytes: file }];
  const what = show(file.path);
  if (typeof count !== 'number') {
    throw new QgemmError('ERR_QGEMM_FORMAT', `split.count of ${what} must be a number, got ${showGgufValue(count)}`);
  }
  if (count > MAX_SHARDS) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `split.count of ${what} must be at most ${MAX_SHARDS}, got ${count}`);
  }
  const names = partNames(file.path, count);
  const reader = new OneOpenFile();
  const part = (source: FileSource, partHeader: GgufHeader, no: number): GgufPart => {
    checkPart(source, partHeader, no, count);
    const readInto = (target: Uint8Array, position: number): void => reader.read(source, target, position);
    return { file: source, header: partHeader, bytes: { path: source.path, size: source.size, readInto } };
  };
  file.release();
  const parts: [GgufPart, ...GgufPart[]] = [part(file, header, 0)];
  for (let no = 1; no < count; no++) {
    const source = new FileSource(names[no]!);
    parts.push(part(source, readHeaderOf(source), no));
  }
  checkTensors(what, parts);
  return parts;
}

function readHeaderOf(file: FileSource): GgufHeader {
  try {
    return readGgufHeader(file);
  } finally {
    file.release();
  }
}

function partNames(path: string, count: number): string[] {
  const digits = (value: number): string => String(value).padStart(5, '0');
  const [, stem, total] = FIRST_NAME.exec(basename(path)) ?? [];
  if (stem === undefined || total !== digits(count)) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${show(path)} is one of ${count} files of a model: open the first, named *-00001-of-${digits(count)}.gguf`,
    );
  }
  return Array.from({ length: count }, (_, no) =>
    join(dirname(path), `${stem}-${digits(no + 1)}-of-${digits(count)}.gguf`),
  );
}

function checkPart({ path }: FileSource, { keys }: GgufHeader, no: number, count: number): void {
  const found = [keys.get('split.no')?.value, keys.get('split.count')?.value];
  if (found[0] === no && found[1] === count) return;
  throw new QgemmError(
    'ERR_QGEMM_FORMAT',
    `${show(path)} must have split.no ${no} and split.count ${count}, got ${found.map(showGgufValue).join(' and ')}`,
  );
}

function checkTensors(what: string, parts: readonly GgufPart[]): void {
  const names = new Set<string>();
  let count = 0;
  for (const { file, header } of parts) {
    for (const name of header.tensors.keys()) names.add(name);
    count += header.tensors.size;
    if (names.size < count) {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `${show(file.path)} must not hold a tensor that another file of the model has`,
      );
    }
  }
  const expected = parts[0]!.header.keys.get('split.tensors.count')?.value ?? count;
  if (expected !== count) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `the files of ${what} must hold ${showGgufValue(expected)} tensors as split.tensors.count says, but hold ${count}`,
    );
  }
}
