import { native } from '../native.js';
import { CHUNK_BYTES } from './limits.js';
import type { QuantizedCodes, SourceTensor } from './source.js';

/**
 * The values that 8-bit codes stand for, (code - zeroPoint) * scale, as a tensor of dtype F32 that is computed as it is
 * read.
 *
 * @param axis which dimension of the codes the scales belong to, where there is one for each channel
 */
export function dequantizedTensor(name: string, quantized: QuantizedCodes, axis: number): SourceTensor {
  const { codes, granularity } = quantized;
  const { shape } = codes;
  const channels = granularity === 'per-tensor' ? 1 : shape[axis]!;
  const inner = product(granularity === 'per-tensor' ? shape : shape.slice(axis + 1));
  let parameters: { scales: Float32Array; zeroPoints: Int32Array } | undefined;

  const decode = (data: Int8Array | Uint8Array, first: number, out: Float32Array): void => {
    parameters ??= readParameters(quantized);
    const { scales, zeroPoints } = parameters;
    for (let done = 0; done < data.length;) {
      const piece = nextPiece(first + done, data.length - done, channels, inner);
      const { outer, from, to } = piece;
      const end = done + outer * (to - from) * piece.inner;
      const [s, z] = [scales.subarray(from, to), zeroPoints.subarray(from, to)];
      native.dequantize(data.subarray(done, end), outer, to - from, piece.inner, s, z, out.subarray(done, end));
      done = end;
    }
  };

  const readInto = (target: Uint8Array, position: number): void => {
    const first = position / 4;
    const last = first + target.length / 4;
    // Codes are read from multiples of 8 on.
    for (let begin = first - (first % 8); begin < last; begin += CHUNK_BYTES / 4) {
      const bytes = new Uint8Array(Math.min(CHUNK_BYTES / 4, Math.min(alignUp(last), codes.byteLength) - begin));
      codes.readInto(bytes, begin);
      const from = Math.max(first, begin);
      const wanted = bytes.subarray(from - begin, Math.min(last, begin + bytes.length) - begin);
      const data = codes.dtype === 'I8' ? new Int8Array(bytes.buffer, wanted.byteOffset, wanted.length) : wanted;
      const values = new Float32Array(wanted.length);
      decode(data, from, values);
      target.set(new Uint8Array(values.buffer), (from - first) * 4);
    }
  };
  return { name, dtype: 'F32', shape, byteLength: codes.byteLength * 4, readInto };
}

interface Piece {
  outer: number;
  from: number;
  to: number;
  inner: number;
}

/** What of [outer, channels, inner] can be decoded at once: whole blocks, whole channels of one, or a part of a channel. */
function nextPiece(first: number, count: number, channels: number, inner: number): Piece {
  const block = channels * inner;
  if (first % block === 0 && count >= block) return { outer: Math.floor(count / block), from: 0, to: channels, inner };
  const channel = Math.floor(first / inner) % channels;
  const start = first % inner;
  if (start !== 0 || count < inner) {
    return { outer: 1, from: channel, to: channel + 1, inner: Math.min(count, inner - start) };
  }
  return { outer: 1, from: channel, to: Math.min(channels, channel + Math.floor(count / inner)), inner };
}

function alignUp(value: number): number {
  return Math.ceil(value / 8) * 8;
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((result, size) => result * size, 1);
}

function readParameters(quantized: QuantizedCodes): { scales: Float32Array; zeroPoints: Int32Array } {
  const scales = quantized.readScales();
  return { scales, zeroPoints: quantized.readZeroPoints() ?? new Int32Array(scales.length) };
}
