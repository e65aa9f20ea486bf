import { QgemmError } from './errors.js';

// Taken now: a result that the library's threads are writing must not pass through what others put in their place later,
// who could keep it and transfer its memory.
const { allocUnsafeSlow } = Buffer;
const arrayFrom = Array.from.bind(Array) as <T>(
  source: { length: number },
  make: (_: unknown, index: number) => T,
) => T[];

/** @internal The classes of results. */
export const resultClasses = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array } as const;

// Below this, JavaScript's own constructor is faster than Buffer's.
const smallBytes = 16_384;

/** @internal A result. */
export type ResultArray = Float32Array | Int8Array | Uint8Array;
export interface ResultClass<T extends ResultArray = ResultArray> {
  new (lengthOrBuffer: number | ArrayBufferLike): T;
  readonly prototype: T;
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
}

/** @internal [make(0), ..., make(length - 1)], in an array that nobody else sees. */
export const makeArray = <T>(length: number, make: (index: number) => T): T[] =>
  arrayFrom({ length }, (_, index) => make(index));

/**
 * A new array whose contents are arbitrary, for memory that is written from end to end before anybody sees it: filling
 * megabytes with zeros first would keep the calling thread longer than everything else it does. Throws OUT_OF_MEMORY.
 */
export function allocateResult<T extends ResultArray>(length: number, type: ResultClass<T>): T {
  const bytes = length * type.BYTES_PER_ELEMENT;
  if (bytes < smallBytes) return new type(length);
  try {
    // Not from Buffer's shared slab: this ArrayBuffer holds these bytes and no others.
    return new type(allocUnsafeSlow(bytes).buffer);
  } catch (cause) {
    throw new QgemmError('ERR_QGEMM_OUT_OF_MEMORY', `a ${type.name} of ${length} results cannot be allocated`, {
      cause,
    });
  }
}
