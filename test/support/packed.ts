import { quantizeRow } from '../reference/linear.js';
import { bytesOf, type parseSafetensors } from './safetensors.js';

/** The arrays of one packed int8 weight, as docs/file-format.md describes them. */
export interface ExpectedWeight {
  panels: Int8Array;
  scales: Float32Array;
  column_sums: Int32Array;
  zero_points: Int32Array;
}

export interface ExpectedOptions {
  perTensor?: boolean;
  symmetric?: boolean;
}

/** Quantizes w [N, K] by the oracle and lays it out by the formula P[n/32, k/4, n%32, k%4] = W[n, k]. */
export function expectedWeight(w: Float32Array, n: number, k: number, options: ExpectedOptions = {}): ExpectedWeight {
  const { perTensor = false, symmetric = true } = options;
  const np = Math.ceil(n / 32) * 32;
  const kp = Math.ceil(k / 64) * 64;
  const arrays = {
    panels: new Int8Array(np * kp),
    scales: new Float32Array(np),
    column_sums: new Int32Array(np),
    zero_points: new Int32Array(np),
  };
  const whole = quantizeRow(w, symmetric);
  for (let row = 0; row < n; ++row) {
    const { codes, scale, zeroPoint } = perTensor
      ? { ...whole, codes: whole.codes.slice(row * k, (row + 1) * k) }
      : quantizeRow(w.subarray(row * k, (row + 1) * k), symmetric);
    arrays.scales[row] = scale;
    arrays.zero_points[row] = zeroPoint - 128;
    codes.forEach((code, column) => {
      const at = (Math.floor(row / 32) * (kp / 4) + Math.floor(column / 4)) * 128 + (row % 32) * 4 + (column % 4);
      arrays.panels[at] = code - 128;
      arrays.column_sums[row]! += code - 128;
    });
  }
  return arrays;
}

/** W [rows, columns] as [columns, rows]. */
export function transpose(w: Float32Array, rows: number, columns: number): Float32Array {
  return w.map((_, i) => w[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** Bytes of a tensor in a parsed file, or an error that names it. */
export function tensorBytes(file: ReturnType<typeof parseSafetensors>, name: string): Buffer {
  const tensor = file.tensors.get(name);
  if (tensor === undefined) throw new Error(`no tensor ${name}; there are ${[...file.tensors.keys()].join(', ')}`);
  return Buffer.from(tensor.bytes);
}

export function padded(values: Float32Array, length: number): Buffer {
  const result = new Float32Array(length);
  result.set(values);
  return bytesOf(result);
}
