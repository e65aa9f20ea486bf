import { QgemmError } from './errors.js';

// Below this, JavaScript's own constructor is faster than Buffer's.
const smallBytes = 16_384;

/** @internal The classes of results. */
export type ResultArray = Float32Array | Int8Array | Uint8Array;
export interface ResultClass<T extends ResultArray = ResultArray> {
  new (lengthOrBuffer: number | ArrayBufferLike): T;
  readonly prototype: T;
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
}

/**
 * A new array whose contents are arbitrary, for memory that is written from end to end before anybody sees it: filling
 * megabytes with zeros first would keep the calling thread longer than everything else it does. Throws OUT_OF_MEMORY.
 */
export function allocateResult<T extends ResultArray>(length: number, type: ResultClass<T>): T {
  const bytes = length * type.BYTES_PER_ELEMENT;
  if (bytes < smallBytes) return new type(length);
  try {
    // Not from Buffer's shared slab: this ArrayBuffer holds these bytes and no others.
    return new type(Buffer.allocUnsafeSlow(bytes).buffer);
  } catch (cause) {
    throw new QgemmError('ERR_QGEMM_OUT_OF_MEMORY', `a ${type.name} of ${length} results cannot be allocated`, {
      cause,
    });
  }
}
