import { QgemmError } from './errors.js';

// Below this, JavaScript's own constructor is faster than Buffer's.
const smallBytes = 16_384;

/**
 * A new array whose contents are arbitrary, for memory that is written from end to end before anybody sees it: filling
 * megabytes with zeros first would keep the calling thread longer than everything else it does. Throws OUT_OF_MEMORY.
 */
export function allocateResult(length: number): Float32Array<ArrayBuffer> {
  const bytes = length * Float32Array.BYTES_PER_ELEMENT;
  if (bytes < smallBytes) return new Float32Array(length);
  try {
    // Not from Buffer's shared slab: this ArrayBuffer holds these bytes and no others.
    return new Float32Array(Buffer.allocUnsafeSlow(bytes).buffer);
  } catch (cause) {
    throw new QgemmError('ERR_QGEMM_OUT_OF_MEMORY', `a result of ${length} float32 values cannot be allocated`, {
      cause,
    });
  }
}
