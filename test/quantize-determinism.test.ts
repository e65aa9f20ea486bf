import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { chooseQParams, dequantize, quantize } from '../lib/index.js';
import { runChild } from './support/child.js';
import { scaled } from './support/emulated.js';

/** One hash of everything that quantization gives for odd shapes, special values and large tensors. */
function fingerprint(
  qgemm: { quantize: typeof quantize; dequantize: typeof dequantize; chooseQParams: typeof chooseQParams },
  hash: { update(bytes: Uint8Array): unknown; digest(encoding: 'hex'): string },
  large: number,
): string {
  const feed = (view: Float32Array | Int32Array | Int8Array | Uint8Array): unknown =>
    hash.update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  const shapes = [[1], [17], [3, 33], [40, 70, 3], [5, 300, 40], [200, 1100], [3, large], [large, 3]];
  for (const shape of shapes) {
    const size = shape.reduce((a, b) => a * b, 1);
    const x = Float32Array.from({ length: size }, (_, i) => Math.fround(Math.sin(i * 12.9898) * 43.5) * (i % 7));
    x[size >> 1] = NaN;
    x[size >> 2] = -Infinity;
    for (const numerics of ['qgemm', 'torch', 'onnx'] as const) {
      for (const axis of shape.keys()) {
        const q = qgemm.quantize(x, shape, { dtype: axis % 2 === 0 ? 'int8' : 'uint8', numerics, axis });
        feed(q.scales);
        feed(q.zeroPoints);
        feed(q.data);
        feed(qgemm.dequantize(q));
      }
      feed(qgemm.chooseQParams(x, shape, { dtype: 'uint8', numerics }).scales);
    }
  }
  return hash.digest('hex');
}

// Enough for several threads in either case.
const large = scaled(100_000, 30_000);
const here = fingerprint({ quantize, dequantize, chooseQParams }, createHash('sha256'), large);
const script = `const fingerprint = ${fingerprint.toString()};
  console.log(fingerprint(qgemm, require('node:crypto').createHash('sha256'), ${large}));`;

describe('the same bytes', () => {
  // A ceiling above what the CPU has is allowed and runs the best kernel there is: on an emulated CPU one of the two
  // ceilings of each architecture has to do, and one number of threads beside the 2 that this machine's default is.
  test.each(scaled(['scalar', 'avx2', 'avx512', 'neon'], ['scalar', 'neon']))(
    'below the ceiling QGEMM_MAX_ISA=%s',
    async (isa) => {
      const result = await runChild(script, { env: { QGEMM_MAX_ISA: isa } });
      expect(result.stderr).toBe('');
      expect(result.stdout.trim()).toBe(here);
    },
  );

  test.each(scaled(['1', '2', '3', '7'], ['3']))('with QGEMM_NUM_THREADS=%s', async (threads) => {
    const result = await runChild(script, { env: { QGEMM_NUM_THREADS: threads } });
    expect(result.stdout.trim()).toBe(here);
  });
});
