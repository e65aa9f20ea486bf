import { readdirSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { QgemmError, show } from '../errors.js';
import { FileSource, ioError, readBytes } from './file.js';
import { FORMATS, formatNames, type BinaryFormat, type JsonFormat } from './formats.js';
import { parseJson, type JsonObject } from './json.js';
import { MAX_JSON_BYTES } from './limits.js';
import type { ModelSource } from './source.js';

const OPEN_BRACE = 0x7b;

/**
 * Opens a model: a file of any known format, or a folder that holds one. Formats are recognised by content. All that can be
 * checked without reading the tensors is checked here.
 *
 * @throws QgemmError IO, FORMAT, LIMIT, PATH, DTYPE
 */
export function openModel(path: string): ModelSource {
  let stats: Stats;
  try {
    stats = statSync(path);
  } catch (error) {
    throw ioError('read', path, error);
  }
  const file = new FileSource(stats.isDirectory() ? findInFolder(path) : path);
  try {
    const start = readBytes(file, 0, Math.min(file.size, 16));
    if (looksLikeJson(start)) {
      const json = readJsonFile(file);
      const format = FORMATS.find((line): line is JsonFormat => 'key' in line && json.has(line.key));
      if (format !== undefined) return format.open(path, file, json);
    } else {
      const binary = FORMATS.filter((line): line is BinaryFormat => 'recognises' in line);
      const format =
        binary.find((line) => line.recognises(start)) ?? binary.find(({ named }) => named?.test(file.path));
      if (format !== undefined) return format.open(path, file);
    }
    throw new QgemmError('ERR_QGEMM_FORMAT', `${show(file.path)} must be ${formatNames()}, but is none of them`);
  } catch (error) {
    file.release();
    throw error;
  }
}

function findInFolder(folder: string): string {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    throw ioError('read', folder, error);
  }
  const wanted = FORMATS.flatMap(({ files = [], parts }) => files.map((name) => ({ name, parts })));
  const known = wanted.find(({ name }) => names.includes(name));
  if (known !== undefined) return join(folder, known.name);
  const patterns = wanted.filter(({ name }) => name.startsWith('*'));
  for (const { name: pattern, parts } of patterns) {
    const found = names.filter((name) => name.endsWith(pattern.slice(1)) && parts?.test(name) !== true);
    if (found.length === 1) return join(folder, found[0]!);
    if (found.length > 1) {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `${show(folder)} must hold one model, but has ${found.length} files ${show(pattern)}: name one of them`,
      );
    }
  }
  const fixed = wanted.filter(({ name }) => !name.startsWith('*'));
  throw new QgemmError(
    'ERR_QGEMM_FORMAT',
    `${show(folder)} must hold ${listed(fixed)} or one file of ${listed(patterns)}, but has none`,
  );
}

function listed(files: readonly { name: string }[]): string {
  return files.map(({ name }) => name).join(', ');
}

/** JSON text has no zero bytes; the length that a safetensors file starts with does. */
function looksLikeJson(start: Uint8Array): boolean {
  const first = start.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
  return first === OPEN_BRACE && !start.includes(0);
}

function readJsonFile(file: FileSource): JsonObject {
  const what = show(file.path);
  if (file.size > MAX_JSON_BYTES) {
    throw new QgemmError('ERR_QGEMM_LIMIT', `${what} must have at most ${MAX_JSON_BYTES} bytes, got ${file.size}`);
  }
  // The text starts with "{", so that anything but an object is refused by the parser.
  return parseJson(readBytes(file, 0, file.size), { what }) as JsonObject;
}
