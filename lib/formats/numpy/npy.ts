import { basename, resolve } from 'node:path';
import { QgemmError, show } from '../../errors.js';
import { dtypeBits } from '../dtypes.js';
import { readBytes, type ByteSource, type FileSource } from '../file.js';
import { NPY_START_BYTES, readNpyHeader, type NpyHeader } from './npy-header.js';
import { numpyWeights } from './npy-weights.js';
import type { ModelSource, SourceTensor } from '../source.js';
import { rowMajorStrides, stridedReader } from '../strided.js';

/** One array in a .npy file. It is named as the file, without `.npy`. */
export function openNpy(path: string, file: FileSource): ModelSource {
  const header = readNpyHeader(show(file.path), readBytes(file, 0, Math.min(file.size, NPY_START_BYTES)));
  const name = basename(file.path).replace(/\.npy$/i, '');
  const tensors = new Map([[name, npyTensor(show(file.path), name, header, file)]]);
  return {
    format: 'npy',
    path,
    files: [resolve(file.path)],
    tensors,
    metadata: new Map(),
    ...numpyWeights(tensors),
    close: () => file.release(),
  };
}

/** The tensor of an array whose file is `content`: presented row-major and little-endian, whatever the file's order is. */
export function npyTensor(what: string, name: string, header: NpyHeader, content: ByteSource): SourceTensor {
  const { dtype, shape, fortranOrder, bigEndian, byteLength, dataOffset } = header;
  if (content.size !== dataOffset + byteLength) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${what} must have ${dataOffset + byteLength} bytes for ${dtype} ${show(shape)}, got ${content.size}`,
    );
  }
  const read = stridedReader({
    source: content,
    offset: dataOffset,
    elementBytes: dtypeBits(dtype) / 8,
    shape,
    strides: fortranOrder ? rowMajorStrides([...shape].reverse()).reverse() : rowMajorStrides(shape),
  });
  // Complex numbers are two floats.
  const wordBytes = dtype === 'C64' ? 4 : dtypeBits(dtype) / 8;
  const readInto = (target: Uint8Array, position: number): void => {
    read(target, position);
    if (bigEndian) swapBytes(target, wordBytes);
  };
  return { name, dtype, shape, byteLength, readInto };
}

function swapBytes(bytes: Uint8Array, wordBytes: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (wordBytes === 2) buffer.swap16();
  if (wordBytes === 4) buffer.swap32();
  if (wordBytes === 8) buffer.swap64();
}
