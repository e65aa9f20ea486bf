import { QgemmError, show } from '../../errors.js';
import type { ByteSource } from '../file.js';
import { parseRecord, type PackedRecord } from './record.js';
import { readSafetensorsHeader, type OutputEntry, type TensorEntry } from '../safetensors/header.js';

/** Version of the packed file's layout, in its metadata. */
export const FORMAT_VERSION = '1';
export const VERSION_KEY = 'qgemm.format_version';
export const GENERATOR_KEY = 'qgemm.generator';
/** Followed by the name of the source tensor. */
export const WEIGHT_KEY_PREFIX = 'qgemm.weight.';

/** The data of a packed file begins at a multiple of this, and so does every packed array (their lengths are). */
export const ALIGNMENT = 64;

/** Columns of a panel, which N is padded to, and what K is padded to for int8. */
const PANEL_COLUMNS = 32;
const PADDED_K = 64;

/** The arrays that a packed weight consists of. */
export type PartName = 'panels' | 'scales' | 'column_sums' | 'zero_points' | 'bias';

/** N padded to whole panels. */
export function paddedN(n: number): number {
  return Math.ceil(n / PANEL_COLUMNS) * PANEL_COLUMNS;
}

/** K padded as int8 panels hold it. */
export function paddedK(k: number): number {
  return Math.ceil(k / PADDED_K) * PADDED_K;
}

/** Name, dtype and shape of every array of a packed weight, in the order of the file. */
export function packedParts(name: string, record: PackedRecord): Map<PartName, OutputEntry> {
  const np = paddedN(record.n);
  const parts = new Map<PartName, OutputEntry>();
  const add = (part: PartName, dtype: 'I8' | 'F32' | 'I32', shape: number[]): void => {
    const byteLength = shape.reduce((bytes, dim) => bytes * dim, dtype === 'I8' ? 1 : 4);
    parts.set(part, { name: `${name}.${part}`, dtype, shape, byteLength });
  };
  if (record.scheme === 'int8') {
    add('panels', 'I8', [np / PANEL_COLUMNS, paddedK(record.k) / 4, PANEL_COLUMNS, 4]);
    add('scales', 'F32', [np]);
    add('column_sums', 'I32', [np]);
    if (!record.symmetric) add('zero_points', 'I32', [np]);
  } else {
    add('panels', 'F32', [np / PANEL_COLUMNS, record.k, PANEL_COLUMNS]);
  }
  if (record.bias !== undefined) add('bias', 'F32', [np]);
  return parts;
}

/** A packed weight in a file: what it is, and where its arrays lie. */
export interface PackedEntry {
  readonly record: PackedRecord;
  readonly parts: ReadonlyMap<PartName, TensorEntry>;
}

export interface PackedHeader {
  /** By the name of the source tensor. */
  readonly weights: ReadonlyMap<string, PackedEntry>;
  /** Tensors that were kept as they were. */
  readonly kept: ReadonlyMap<string, TensorEntry>;
  /** Name of a packed bias in the source, and the weight that holds it. */
  readonly biases: ReadonlyMap<string, string>;
  /** The source's own metadata. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Whether metadata is that of a packed file of this package. */
export function isPacked(metadata: ReadonlyMap<string, string>): boolean {
  return metadata.has(VERSION_KEY);
}

/**
 * Reads and validates the header of a packed file: that of a safetensors file, and every packed weight's arrays present
 * with the dtype and shape that its record asks for.
 *
 * @throws QgemmError FORMAT, LIMIT
 */
export function readPackedHeader(source: ByteSource): PackedHeader {
  const header = readSafetensorsHeader(source);
  const file = show(source.path);
  const version = header.metadata.get(VERSION_KEY);
  if (version === undefined) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${file} must be a file made by "qgemm convert", but is a plain safetensors file: run qgemm convert ${file} -o OUTPUT`,
    );
  }
  if (version !== FORMAT_VERSION) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${VERSION_KEY} of ${file} must be "${FORMAT_VERSION}" for this version of qgemm, got ${show(version)}`,
    );
  }
  const weights = new Map<string, PackedEntry>();
  const biases = new Map<string, string>();
  const kept = new Map(header.tensors);
  const metadata = new Map<string, string>();
  for (const [key, text] of header.metadata) {
    if (key.startsWith(WEIGHT_KEY_PREFIX)) {
      const name = key.slice(WEIGHT_KEY_PREFIX.length);
      const record = parseRecord(`the record of weight ${show(name)} in ${file}`, text);
      weights.set(name, { record, parts: takeParts(file, name, record, kept) });
      if (record.bias !== undefined) biases.set(record.bias.name, name);
    } else if (key !== VERSION_KEY && key !== GENERATOR_KEY) {
      metadata.set(key, text);
    }
  }
  for (const name of [...weights.keys(), ...biases.keys()]) {
    if (kept.has(name))
      throw new QgemmError('ERR_QGEMM_FORMAT', `${file} must hold ${show(name)} packed or kept, but has both`);
  }
  return { weights, kept, biases, metadata };
}

/** Moves the arrays of one weight out of the tensors that are left. */
function takeParts(
  file: string,
  name: string,
  record: PackedRecord,
  left: Map<string, TensorEntry>,
): Map<PartName, TensorEntry> {
  const parts = new Map<PartName, TensorEntry>();
  for (const [part, expected] of packedParts(name, record)) {
    const entry = left.get(expected.name);
    if (entry === undefined || entry.dtype !== expected.dtype || entry.shape.join() !== expected.shape.join()) {
      const got = entry === undefined ? 'it is missing' : `it is ${entry.dtype} ${show(entry.shape)}`;
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `tensor ${show(expected.name)} in ${file} must be ${expected.dtype} ${show(expected.shape)}, but ${got}`,
      );
    }
    left.delete(expected.name);
    parts.set(part, entry);
  }
  return parts;
}
