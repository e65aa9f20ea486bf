import { native } from '../native.js';
import type { SourceTensor, QuantizedCodes } from './source.js';
import { CHUNK_BYTES } from './limits.js';

/**
 * The values that 8-bit codes stand for, (code - zeroPoint) * scale, as a tensor of dtype F32 that is computed as it is
 * read. The codes are a row-major matrix [rows, columns], whatever dimensions of 1 their shape has besides.
 *
 * @param channels which dimension the scales belong to where there is one for each channel
 */
export function dequantizedTensor(
  name: string,
  quantized: QuantizedCodes,
  [rows, columns]: readonly [rows: number, columns: number],
  channels: 'rows' | 'columns',
): SourceTensor {
  const { codes, granularity } = quantized;
  let parameters: { scales: Float32Array; zeroPoints: Int32Array } | undefined;

  // One band of whole rows; scales of rows move along with it.
  const readBand = (row: number, count: number): Float32Array => {
    parameters ??= readParameters(quantized);
    const { scales, zeroPoints } = parameters;
    const bytes = new Uint8Array(count * columns);
    codes.readInto(bytes, row * columns);
    const values = new Float32Array(bytes.length);
    const data = codes.dtype === 'I8' ? new Int8Array(bytes.buffer) : bytes;
    if (granularity === 'per-tensor') {
      native.dequantize(data, 1, 1, bytes.length, scales, zeroPoints, values);
    } else if (channels === 'columns') {
      native.dequantize(data, count, columns, 1, scales, zeroPoints, values);
    } else {
      const [from, to] = [row, row + count];
      native.dequantize(data, 1, count, columns, scales.subarray(from, to), zeroPoints.subarray(from, to), values);
    }
    return values;
  };

  const readInto = (target: Uint8Array, position: number): void => {
    const first = position / 4;
    const last = first + target.length / 4;
    // Reads of codes begin at multiples of 8, which a band of 8 rows does for any number of columns.
    const step = 8 * Math.max(1, Math.floor(CHUNK_BYTES / 4 / Math.max(1, columns) / 8));
    for (let row = Math.floor(first / columns / 8) * 8; row * columns < last; row += step) {
      const values = readBand(row, Math.min(step, rows - row));
      const begin = row * columns;
      const from = Math.max(first, begin);
      const to = Math.min(last, begin + values.length);
      if (from < to) target.set(new Uint8Array(values.buffer, (from - begin) * 4, (to - from) * 4), (from - first) * 4);
    }
  };
  return { name, dtype: 'F32', shape: codes.shape, byteLength: rows * columns * 4, readInto };
}

function readParameters(quantized: QuantizedCodes): { scales: Float32Array; zeroPoints: Int32Array } {
  const scales = quantized.readScales();
  return { scales, zeroPoints: quantized.readZeroPoints() ?? new Int32Array(scales.length) };
}
