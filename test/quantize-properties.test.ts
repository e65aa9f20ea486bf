import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chooseQParams,
  dequantize,
  quantize,
  quantizePerChannel,
  quantizePerTensor,
  type QuantizedDType,
} from '../lib/index.js';
import type { Mode, Range } from './reference/qparams.js';
import { chooseTensor, dequantizeTensor, quantizeTensor } from './reference/tensor.js';
import { scaled } from './support/emulated.js';

const specials = [NaN, Infinity, -Infinity, 0, -0, 3.4028235e38, -3.4028235e38, 1e-45, -1e-45, 2 ** -126, 1e30, -1e30];
const finite = fc.float({ noNaN: true, noDefaultInfinity: true });
const ordinary = fc.float({ min: -8, max: 8, noNaN: true });
const value = fc.oneof(
  { arbitrary: ordinary, weight: 8 },
  { arbitrary: finite, weight: 2 },
  fc.constantFrom(...specials),
);
const dtype = fc.constantFrom<QuantizedDType>('int8', 'uint8');

/** A shape of up to four axes, some long enough for whole vectors, with one axis picked. */
const shaped = fc
  .tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 70 }), fc.constantFrom(1, 1, 2, 7, 33, 100))
  .chain(([outer, axis, inner]) =>
    fc.array(value, { minLength: 1, maxLength: 200 }).map((pool) => ({
      outer,
      axis,
      inner,
      x: Float32Array.from({ length: outer * axis * inner }, (_, i) => pool[(i * 7919) % pool.length]!),
    })),
  );

/** The default range of each mode: what docs/quantization.md says, written down a second time. */
function defaultRange(mode: Mode, dtype: QuantizedDType, symmetric: boolean): Range {
  const signed = dtype === 'int8';
  let [qmin, qmax] = signed ? [-128, 127] : [0, 255];
  if (symmetric && mode === 'qgemm') [qmin, qmax] = signed ? [-127, 127] : [1, 255];
  if (symmetric && mode === 'onnx' && signed) qmin = -127;
  return { mode, signed, symmetric, qmin, qmax };
}

const modes = fc
  .tuple(fc.constantFrom<Mode>('qgemm', 'torch', 'torch-dynamic', 'onnx'), dtype, fc.boolean())
  .map(([mode, dtype, symmetric]) => ({ mode, dtype, symmetric: symmetric && mode !== 'torch-dynamic' }));

describe('the native core gives what the oracle gives, bit for bit', () => {
  test('chooseQParams, quantize and dequantize, per channel of any axis, every mode', () => {
    fc.assert(
      fc.property(shaped, modes, ({ outer, axis, inner, x }, { mode, dtype, symmetric }) => {
        const range = defaultRange(mode, dtype, symmetric);
        const fold = { outer, axis, inner };
        const expected = chooseTensor(range, x, fold);
        const q = quantize(x, [outer, axis, inner], { dtype, symmetric, numerics: mode, axis: 1 });
        expect(Array.from(q.scales)).toEqual(expected.map((p) => p.scale));
        expect(Array.from(q.zeroPoints)).toEqual(expected.map((p) => p.zeroPoint));
        const clampMin = mode === 'qgemm' ? range.qmin : range.signed ? -128 : 0;
        const codes = quantizeTensor(x, fold, expected, clampMin, range.signed ? 127 : 255, mode === 'onnx');
        expect(Array.from(q.data)).toEqual(codes);
        expect(dequantize(q)).toEqual(Float32Array.from(dequantizeTensor(codes, fold, expected)));
      }),
      { numRuns: scaled(400, 60) },
    );
  });

  test('per tensor, per row and per group are the same arithmetic on other channels', () => {
    fc.assert(
      fc.property(
        shaped,
        modes,
        fc.constantFrom(1, 2, 4, 8, 32),
        ({ outer, axis, inner, x }, { mode, dtype, symmetric }, groupSize) => {
          const range = defaultRange(mode, dtype, symmetric);
          const size = x.length;
          const check = (
            result: { scales: Float32Array; zeroPoints: Int32Array },
            channels: number,
            length: number,
          ): void => {
            const expected = chooseTensor(range, x, { outer: 1, axis: channels, inner: length });
            expect(Array.from(result.scales)).toEqual(expected.map((p) => p.scale));
            expect(Array.from(result.zeroPoints)).toEqual(expected.map((p) => p.zeroPoint));
          };
          const options = { dtype, symmetric, numerics: mode };
          check(chooseQParams(x, [outer, axis, inner], options), 1, size);
          check(chooseQParams(x, [outer, axis, inner], { ...options, granularity: 'per-row' }), outer * axis, inner);
          if (size % groupSize === 0)
            check(chooseQParams(x, [size], { ...options, groupSize }), size / groupSize, groupSize);
        },
      ),
      { numRuns: scaled(200, 40) },
    );
  });

  test('quantizePerTensor and quantizePerChannel with any scale', () => {
    // A scale of 1e-40 has no finite reciprocal in float32: non-zero values saturate, zero gives the zero point.
    const scale = fc.oneof(
      fc.float({ min: Math.fround(1e-6), max: 10, noNaN: true }),
      fc.constantFrom(1e-40, 1e-30, 3e38),
    );
    fc.assert(
      fc.property(
        shaped,
        dtype,
        fc.array(fc.tuple(scale, fc.nat(255)), { minLength: 1 }),
        fc.boolean(),
        ({ outer, axis, inner, x }, dtype, pool, divide) => {
          const lowest = dtype === 'int8' ? -128 : 0;
          const params = Array.from({ length: axis }, (_, i) => {
            const [s, zero] = pool[i % pool.length]!;
            return { scale: Math.fround(s), zeroPoint: zero + lowest };
          });
          const scales = params.map((p) => p.scale);
          const zeroPoints = params.map((p) => p.zeroPoint);
          const options = { numerics: divide ? 'onnx' : 'qgemm' } as const;
          const fold = { outer, axis, inner };
          const q = quantizePerChannel(x, [outer, axis, inner], scales, zeroPoints, 1, dtype, options);
          expect(Array.from(q.data)).toEqual(quantizeTensor(x, fold, params, lowest, lowest + 255, divide));
          expect(dequantize(q)).toEqual(Float32Array.from(dequantizeTensor(q.data, fold, params)));
          if (axis === 0) return;
          const whole = quantizePerTensor(x, scales[0]!, zeroPoints[0]!, dtype, options);
          const flat = { outer: 1, axis: 1, inner: x.length };
          expect(Array.from(whole.data)).toEqual(quantizeTensor(x, flat, params, lowest, lowest + 255, divide));
        },
      ),
      { numRuns: scaled(300, 50) },
    );
  });
});

test('quantize then dequantize is off by half a step at most', () => {
  fc.assert(
    fc.property(fc.array(ordinary, { minLength: 1, maxLength: 300 }), modes, (list, { mode, dtype, symmetric }) => {
      const x = Float32Array.from(list);
      const q = quantize(x, [x.length], { dtype, symmetric, numerics: mode });
      const back = dequantize(q);
      const scale = q.scales[0]!;
      // Half a step, and what two roundings of float32 add to a code of up to 255. Nothing clips by more: the zero point
      // is rounded as the ends of the range are, and amax / 127.5 leaves half a step at the upper end.
      x.forEach((v, i) => expect(Math.abs(v - back[i]!)).toBeLessThanOrEqual(scale * (0.5 + 1e-4)));
    }),
  );
});
