import { setImmediate } from 'node:timers/promises';
import { native } from '../native.js';
import { dtypeBits } from './dtypes.js';
import { BLOCK_ELEMENTS, CHUNK_BYTES, STRIP_ELEMENTS } from './limits.js';
import type { MatmulWeight, SourceTensor } from './source.js';

/** Some rows of W (output channels), as the file has them. The array, the whole of its buffer, is overwritten by the next. */
export interface ByteBlock {
  readonly row: number;
  readonly rows: number;
  /** [rows, K], or [K, rows] where the weight's layout is `kn`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Blocks begin at whole panels of the packed format. */
export const ROW_MULTIPLE = 32;

/**
 * A weight block by block; the event loop runs while a large one is read.
 *
 * @param strip elements of a block of a weight [K, N] at most; what is read at a time does not depend on it
 */
export async function* byteBlocks(
  tensor: SourceTensor,
  weight: MatmulWeight,
  strip: number = STRIP_ELEMENTS,
): AsyncGenerator<ByteBlock> {
  const { n, k, layout } = weight;
  const size = dtypeBits(tensor.dtype) / 8;
  if (layout === 'nk') {
    const most = rowsWithin(BLOCK_ELEMENTS, weight);
    const buffer = new Uint8Array(most * k * size);
    for (let row = 0; row < n; row += most) {
      const rows = Math.min(most, n - row);
      const bytes = buffer.subarray(0, rows * k * size);
      await readPieces(tensor, row * k * size, bytes);
      yield { row, rows, bytes };
    }
    return;
  }
  // Short pieces of lines are slow to read from a file, and quick to copy from memory.
  const widest = rowsWithin(STRIP_ELEMENTS, weight);
  const most = rowsWithin(strip, weight);
  const memory = new Uint8Array(widest * k * size);
  const buffer = new Uint8Array(most < widest ? most * k * size : 0);
  for (let first = 0; first < n; first += widest) {
    const width = Math.min(widest, n - first);
    const whole = memory.subarray(0, width * k * size);
    await readStrip(tensor, weight, first, width, whole);
    if (most >= widest) {
      yield { row: first, rows: width, bytes: whole };
      continue;
    }
    for (let column = 0; column < width; column += most) {
      const rows = Math.min(most, width - column);
      const bytes = buffer.subarray(0, rows * k * size);
      native.stridedCopy(whole.subarray(column * size), bytes, size, Float64Array.of(k, width, rows, rows, 1, 1));
      yield { row: first + column, rows, bytes };
    }
  }
}

function rowsWithin(elements: number, { n, k }: MatmulWeight): number {
  const rows = Math.floor(elements / k / ROW_MULTIPLE) * ROW_MULTIPLE;
  return Math.min(n, Math.max(ROW_MULTIPLE, rows));
}

/** `width` columns of a weight [K, N]. */
async function readStrip(
  tensor: SourceTensor,
  { n, k }: MatmulWeight,
  column: number,
  width: number,
  out: Uint8Array,
): Promise<void> {
  if (width === n) return readPieces(tensor, 0, out);
  const size = dtypeBits(tensor.dtype) / 8;
  const length = width * size;
  const line = new Uint8Array(length + 16);
  const linesAtOnce = Math.ceil(CHUNK_BYTES / length);
  for (let i = 0; i < k; ++i) {
    if (i > 0 && i % linesAtOnce === 0) await setImmediate();
    // Begin and end are multiples of 8 or the tensor's own, as readInto asks.
    const begin = (i * n + column) * size;
    const first = begin - (begin % 8);
    const end = Math.min(Math.ceil((begin + length) / 8) * 8, tensor.byteLength);
    tensor.readInto(line.subarray(0, end - first), first);
    out.set(line.subarray(begin - first, begin - first + length), i * length);
  }
}

/** Rows are a multiple of 32 or the last, so that position and length are multiples of 8 as readInto asks. */
async function readPieces(tensor: SourceTensor, position: number, out: Uint8Array): Promise<void> {
  for (let done = 0; done < out.length; done += CHUNK_BYTES) {
    if (done > 0) await setImmediate();
    tensor.readInto(out.subarray(done, done + CHUNK_BYTES), position + done);
  }
}
