import { describe, expect, it } from 'vitest';
import { native } from '../lib/native.js';

/** Panels of int8 codes W[n, k] as docs/file-format.md defines them: [Np/32, Kp/4, 32, 4]. */
function panelsOf(codes: Int8Array, n: number, k: number): Uint8Array {
  const [np, kp] = [Math.ceil(n / 32) * 32, Math.ceil(k / 64) * 64];
  const panels = new Int8Array(np * kp);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < k; j++) {
      panels[Math.floor(i / 32) * 32 * kp + Math.floor(j / 4) * 128 + (i % 32) * 4 + (j % 4)] = codes[i * k + j]!;
    }
  }
  return new Uint8Array(panels.buffer);
}

describe('unpackRows', () => {
  const [n, k] = [37, 70];
  const codes = Int8Array.from({ length: n * k }, (_, i) => (i * 89) % 256);
  const scales = Float32Array.from({ length: n }, (_, i) => 0.01 + i / 100);
  const zeroPoints = Int32Array.from({ length: n }, (_, i) => i - 18);

  it.each([null, zeroPoints])('gives (code - zero point) * scale of int8 panels', (points) => {
    const out = new Float32Array(n * k);
    native.unpackRows(0, n, k, panelsOf(codes, n, k), scales, points, out);
    const expected = Float32Array.from(codes, (code, i) => {
      const row = Math.floor(i / k);
      return Math.fround(code - (points?.[row] ?? 0)) * scales[row]!;
    });
    expect(out).toEqual(expected);
  });

  it('gives the values of float32 panels', () => {
    const values = Float32Array.from(codes);
    const weights = native.packFloat32(values, n, k, false, 1, 0, true, 0, false);
    const out = new Float32Array(n * k);
    native.unpackRows(1, n, k, native.weightsExport(weights).panels, null, null, out);
    expect(out).toEqual(values);
  });

  it('checks every argument', () => {
    const panels = panelsOf(codes, n, k);
    const out = new Float32Array(n * k);
    const floats = new Uint8Array(64 * k * 4 + 1);
    const call = native.unpackRows as (...args: unknown[]) => void;
    const bad: unknown[][] = [
      [],
      [2, n, k, panels, scales, null, out],
      [0, n, k, panels.subarray(1), scales, null, out],
      [0, n, k, panels, null, null, out],
      [0, n, k, panels, scales.subarray(1), null, out],
      [0, n, k, panels, scales, zeroPoints.subarray(1), out],
      [0, n, k, panels, scales, new Float32Array(n), out],
      [0, n, k, panels, scales, null, out.subarray(1)],
      [0, 2 ** 40, 2 ** 40, panels, scales, null, out],
      [1, n, k, floats.subarray(0, -1), scales, null, out],
      [1, n, k, floats.subarray(1), null, null, out],
    ];
    for (const args of bad) {
      expect(() => call(...args)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^ERR_QGEMM_/) }) as Error,
      );
    }
  });
});
