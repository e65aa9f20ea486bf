/** c[m, n] = (a - aZero) . (b - bZero) modulo 2^32, a [m, k] and b [k, n] row-major. */
export function matmulInteger(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  m: number,
  n: number,
  k: number,
  aZero = 0,
  bZero = 0,
): Int32Array {
  const c = new Int32Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum = (sum + (a[i * k + p]! - aZero) * (b[p * n + j]! - bZero)) | 0;
      c[i * n + j] = sum;
    }
  }
  return c;
}
