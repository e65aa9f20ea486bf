import { statSync } from 'node:fs';
import { native } from '../native.js';
import { SCHEMES } from '../schemes.js';
import { FileSource, ioError, readBytes, type ByteSource } from './file.js';
import { openModel } from './open.js';
import { isPacked, paddedN, readPackedHeader, type PackedEntry, type PartName } from './packed/reader.js';
import type { PackedRecord } from './packed/record.js';
import { safetensorsTensor } from './safetensors/header.js';
import type { SourceTensor } from './source.js';
import { allocateFloat32 } from './values.js';

/** A packed weight of a converted file. */
export interface PackedWeight {
  readonly record: PackedRecord;
  /** Bytes of all its arrays. */
  readonly bytes: number;
  /** The values of some rows of W[N, K]; `first` is a multiple of 32. Fails where memory is short. */
  readRows(first: number, count: number): Float32Array;
}

/** A tensor of a converted model, by the name that it has in the original. */
export type ConvertedTensor =
  | { readonly kind: 'packed'; readonly weight: PackedWeight }
  /** A bias beside its packed weight, as float32. */
  | { readonly kind: 'bias'; readonly tensor: SourceTensor }
  /** `stored`: what the file holds, where `tensor` presents it as something else. */
  | { readonly kind: 'plain'; readonly tensor: SourceTensor; readonly stored?: { type: string; byteLength: number } };

/** A model in a format that `convert` writes, packed or not: what `verify` compares with the original. */
export interface ConvertedModel {
  readonly path: string;
  /** Bytes of all its files. */
  readonly size: number;
  readonly tensors: ReadonlyMap<string, ConvertedTensor>;
  close(): void;
}

/**
 * Opens a converted model of any format.
 *
 * @throws QgemmError IO, FORMAT, LIMIT, PATH, DTYPE
 */
export function openConverted(path: string): ConvertedModel {
  const source = openModel(path);
  if (isPacked(source.metadata)) {
    source.close();
    return openPacked(source.files.at(-1)!);
  }
  const tensors = new Map<string, ConvertedTensor>();
  for (const [name, tensor] of source.tensors) {
    const codes = source.matmuls.get(name)?.quantized?.codes;
    const stored = tensor.stored ?? (codes && { type: codes.dtype, byteLength: codes.byteLength });
    tensors.set(name, { kind: 'plain', tensor, ...(stored && { stored }) });
  }
  const size = source.files.reduce((bytes, file) => bytes + sizeOf(file), 0);
  return { path, size, tensors, close: () => source.close() };
}

function openPacked(path: string): ConvertedModel {
  const file = new FileSource(path);
  try {
    const { weights, biases, kept } = readPackedHeader(file);
    const tensors = new Map<string, ConvertedTensor>();
    for (const [name, entry] of weights) tensors.set(name, { kind: 'packed', weight: packedWeight(file, name, entry) });
    for (const [name, owner] of biases)
      tensors.set(name, { kind: 'bias', tensor: packedBias(file, name, weights.get(owner)!) });
    for (const [name, entry] of kept)
      tensors.set(name, { kind: 'plain', tensor: safetensorsTensor(file, name, entry) });
    return { path, size: file.size, tensors, close: () => file.release() };
  } catch (error) {
    file.release();
    throw error;
  }
}

function packedWeight(file: ByteSource, name: string, { record, parts }: PackedEntry): PackedWeight {
  const { n, k, scheme } = record;
  let bytes = 0;
  for (const part of parts.values()) bytes += part.byteLength;
  const panels = parts.get('panels')!;
  const panelRowBytes = panels.byteLength / paddedN(n);
  const perRow = (part: PartName, first: number, count: number): ArrayBuffer | undefined => {
    const entry = parts.get(part);
    return entry && readBytes(file, entry.offset + first * 4, count * 4).buffer;
  };
  const readRows = (first: number, count: number): Float32Array => {
    // Panels of 32 rows lie one after another, so that some of them are a packed weight of their own.
    const some = readBytes(file, panels.offset + first * panelRowBytes, paddedN(count) * panelRowBytes);
    const [scales, zeroPoints] = [perRow('scales', first, count), perRow('zero_points', first, count)];
    const values = allocateFloat32(name, count * k);
    native.unpackRows(
      SCHEMES.indexOf(scheme),
      count,
      k,
      some,
      scales === undefined ? null : new Float32Array(scales),
      zeroPoints === undefined ? null : new Int32Array(zeroPoints),
      values,
    );
    return values;
  };
  return { record, bytes, readRows };
}

function packedBias(file: ByteSource, name: string, { record, parts }: PackedEntry): SourceTensor {
  const { offset } = parts.get('bias')!;
  return {
    name,
    dtype: 'F32',
    shape: [record.n],
    byteLength: record.n * 4,
    readInto: (target, position) => file.readInto(target, offset + position),
  };
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    throw ioError('read', path, error);
  }
}
