import { readdirSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { QgemmError, show } from '../errors.js';
import { openArchive } from './archive.js';
import { FileSource, ioError, readBytes } from './file.js';
import { openGguf } from './gguf.js';
import { parseJson, type JsonObject } from './json.js';
import { MAX_JSON_BYTES } from './limits.js';
import { looksLikeOnnx, openOnnx } from './onnx.js';
import { openNpy } from './npy.js';
import { isNpy } from './npy-header.js';
import { openTorchLegacy } from './pytorch.js';
import { isTorchLegacy } from './pytorch-legacy.js';
import { openSafetensors } from './safetensors-model.js';
import { openSharded } from './sharded.js';
import type { ModelSource } from './source.js';
import { openTfjs } from './tfjs-model.js';
import { isZip } from './zip.js';

/** A format is recognised by the first bytes of a file, or, for JSON, by a key of its object. Names do not matter. */
interface BinaryFormat {
  recognises(start: Uint8Array): boolean;
  open(path: string, file: FileSource): ModelSource;
}
interface JsonFormat {
  key: string;
  open(path: string, file: FileSource, json: JsonObject): ModelSource;
}

const OPEN_BRACE = 0x7b;

const BINARY_FORMATS: readonly BinaryFormat[] = [
  { recognises: isZip, open: openArchive },
  { recognises: isTorchLegacy, open: openTorchLegacy },
  { recognises: isNpy, open: openNpy },
  // Before safetensors: the ninth byte of a GGUF file, the number of its tensors, may be a brace too.
  { recognises: (start) => String.fromCharCode(...start.subarray(0, 4)) === 'GGUF', open: openGguf },
  // Before safetensors too, since a name of the producer may have a brace there.
  { recognises: looksLikeOnnx, open: openOnnx },
  { recognises: (start) => start[8] === OPEN_BRACE, open: openSafetensors },
];

const JSON_FORMATS: readonly JsonFormat[] = [
  { key: 'weight_map', open: openSharded },
  { key: 'modelTopology', open: openTfjs },
  { key: 'weightsManifest', open: openTfjs },
];

/** What a folder may hold, by preference: Hugging Face's names, then TensorFlow.js's, then the only one of its kind. */
const FOLDER_NAMES = [
  'model.safetensors.index.json',
  'model.safetensors',
  'pytorch_model.bin.index.json',
  'pytorch_model.bin',
  'model.json',
];
const FOLDER_SUFFIXES = ['.safetensors.index.json', '.safetensors', '.gguf', '.onnx', '.pt', '.pth', '.npz'];

/** A part of a GGUF model that its first part leads to. */
const LATER_PART = /-(?!00001-of-)\d{5}-of-\d{5}\.gguf$/;

/**
 * Opens a model: a file of any known format, or a folder that holds one. All that can be checked without reading the
 * tensors is checked here.
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
      const format = JSON_FORMATS.find(({ key }) => json.has(key));
      if (format !== undefined) return format.open(path, file, json);
    } else {
      const format = BINARY_FORMATS.find((candidate) => candidate.recognises(start));
      if (format !== undefined) return format.open(path, file);
      // Only the wording depends on the name: the reader says what is wrong with what calls itself safetensors.
      if (file.path.endsWith('.safetensors')) return openSafetensors(path, file);
    }
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${show(file.path)} must be a safetensors file, an index of several files, a PyTorch checkpoint, a GGUF file, an ONNX model, a .npy or .npz file or a TensorFlow.js model.json, but is none of them`,
    );
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
  const known = FOLDER_NAMES.find((name) => names.includes(name));
  if (known !== undefined) return join(folder, known);
  for (const suffix of FOLDER_SUFFIXES) {
    const found = names.filter((name) => name.endsWith(suffix) && !LATER_PART.test(name));
    if (found.length === 1) return join(folder, found[0]!);
    if (found.length > 1) {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `${show(folder)} must hold one model, but has ${found.length} files ${show(`*${suffix}`)}: name one of them`,
      );
    }
  }
  throw new QgemmError(
    'ERR_QGEMM_FORMAT',
    `${show(folder)} must hold ${FOLDER_NAMES.join(', ')} or one file of ${FOLDER_SUFFIXES.map((suffix) => `*${suffix}`).join(', ')}, but has none`,
  );
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
