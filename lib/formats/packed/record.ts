import { QgemmError, show } from '../../errors.js';
import {
  ACTIVATION_RANGES,
  GRANULARITIES,
  SCHEMES,
  maxK,
  type ActivationRange,
  type WeightGranularity,
  type Scheme,
} from '../../schemes.js';
import { isDtype, type Dtype } from '../dtypes.js';
import { parseJson, type JsonObject, type JsonValue } from '../json.js';

/** What the metadata of a packed file says about one weight: docs/file-format.md. */
export interface PackedRecord {
  readonly scheme: Scheme;
  readonly n: number;
  readonly k: number;
  readonly granularity: WeightGranularity;
  readonly symmetric: boolean;
  readonly activations: ActivationRange;
  /** The tensor that was packed. */
  readonly source: { readonly dtype: Dtype; readonly shape: readonly number[]; readonly layout: 'nk' | 'kn' };
  /** The tensor that was packed as bias. */
  readonly bias?: { readonly name: string; readonly dtype: Dtype };
}

export function encodeRecord(record: PackedRecord): string {
  return JSON.stringify(record);
}

/** Parses and checks a record; everything behind it may trust the fields. */
export function parseRecord(what: string, text: string): PackedRecord {
  const json = parseJson(Buffer.from(text, 'utf8'), { what, integersOnly: true });
  if (!(json instanceof Map)) throw new QgemmError('ERR_QGEMM_FORMAT', `${what} must be a JSON object`);
  const source = objectOf(what, 'source', json.get('source'));
  const scheme = oneOf(what, json, 'scheme', SCHEMES);
  const symmetric = json.get('symmetric');
  if (typeof symmetric !== 'boolean')
    throw new QgemmError('ERR_QGEMM_FORMAT', `symmetric in ${what} must be a boolean, got ${show(symmetric)}`);
  const record: PackedRecord = {
    scheme,
    n: integer(what, json, 'n'),
    k: integer(what, json, 'k'),
    granularity: oneOf(what, json, 'granularity', GRANULARITIES),
    symmetric,
    activations: oneOf(what, json, 'activations', ACTIVATION_RANGES),
    source: {
      dtype: dtype(what, source),
      shape: shape(what, source),
      layout: oneOf(what, source, 'layout', ['nk', 'kn'] as const),
    },
  };
  checkSizes(what, record);
  const bias = json.get('bias');
  if (bias === undefined) return record;
  const named = objectOf(what, 'bias', bias);
  const name = named.get('name');
  if (typeof name !== 'string')
    throw new QgemmError('ERR_QGEMM_FORMAT', `bias in ${what} must have a name, got ${show(name)}`);
  return { ...record, bias: { name, dtype: dtype(what, named) } };
}

function checkSizes(what: string, { scheme, n, k, symmetric, source }: PackedRecord): void {
  const expected = source.layout === 'nk' ? [n, k] : [k, n];
  const leading = source.shape.slice(0, -2);
  const matrix = source.shape.slice(-2);
  if (
    matrix.length !== 2 ||
    matrix[0] !== expected[0] ||
    matrix[1] !== expected[1] ||
    leading.some((dim) => dim !== 1)
  ) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `n and k in ${what} must agree with the source's shape ${show(source.shape)}, got n ${n} and k ${k}`,
    );
  }
  const limit = maxK(scheme, symmetric);
  if (k > limit) throw new QgemmError('ERR_QGEMM_LIMIT', `k in ${what} must be at most ${limit}, got ${k}`);
}

function oneOf<T extends string>(what: string, object: JsonObject, key: string, allowed: readonly T[]): T {
  const value = object.get(key);
  if (!(allowed as readonly unknown[]).includes(value)) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${key} in ${what} must be one of ${allowed.join(', ')}, got ${show(value)}`,
    );
  }
  return value as T;
}

function objectOf(what: string, key: string, value: JsonValue | undefined): JsonObject {
  if (!(value instanceof Map))
    throw new QgemmError('ERR_QGEMM_FORMAT', `${key} in ${what} must be an object, got ${show(value)}`);
  return value;
}

function integer(what: string, object: JsonObject, key: string): number {
  const value = object.get(key);
  if (typeof value !== 'number' || value < 1)
    throw new QgemmError('ERR_QGEMM_FORMAT', `${key} in ${what} must be an integer >= 1, got ${show(value)}`);
  return value;
}

function dtype(what: string, object: JsonObject): Dtype {
  const value = object.get('dtype');
  if (!isDtype(value))
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `dtype in ${what} must be a dtype of the safetensors format, got ${show(value)}`,
    );
  return value;
}

function shape(what: string, object: JsonObject): number[] {
  const value = object.get('shape');
  if (!Array.isArray(value) || !value.every((dim) => typeof dim === 'number')) {
    throw new QgemmError('ERR_QGEMM_FORMAT', `shape in ${what} must be an array of integers, got ${show(value)}`);
  }
  return value;
}
