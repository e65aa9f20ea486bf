// matmulQuantized as it is defined: rows of a as activations, columns of b as symmetric weights, exact sums.
import { fma, mul } from './float32.js';
import { quantizeRow, type QuantizedRow } from './linear.js';

export interface Sizes {
  batch: number;
  m: number;
  n: number;
  k: number;
  transposeB: boolean;
}

export function matmulQuantized(a: Float32Array, b: Float32Array, s: Sizes, scale = 1): Float32Array {
  const { batch, m, n, k } = s;
  const c = new Float32Array(batch * m * n);
  for (let item = 0; item < batch; item++) {
    const rows: QuantizedRow[] = Array.from({ length: m }, (_, i) =>
      quantizeRow(a.subarray((item * m + i) * k, (item * m + i + 1) * k)),
    );
    const at = (j: number, p: number): number => b[item * n * k + (s.transposeB ? j * k + p : p * n + j)]!;
    const columns = Array.from({ length: n }, (_, j) =>
      quantizeRow(
        Array.from({ length: k }, (_value, p) => at(j, p)),
        true,
      ),
    );
    for (let i = 0; i < m * n; i++) {
      const [row, column] = [rows[Math.floor(i / n)]!, columns[i % n]!];
      let sum = 0;
      for (let p = 0; p < k; p++) sum += (row.codes[p]! - row.zeroPoint) * (column.codes[p]! - column.zeroPoint);
      c[item * m * n + i] = fma(Math.fround(sum), mul(row.scale, mul(column.scale, Math.fround(scale))), 0);
    }
  }
  return c;
}
