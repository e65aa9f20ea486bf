import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  chooseQParams,
  dequantize,
  quantize,
  quantizePerChannel,
  quantizePerTensor,
  type QuantizedDType,
  type QuantizeOptions,
} from '../lib/index.js';

// Values made by PyTorch 1.13 (test/golden/README.md).
interface Fixed {
  dtype: 'qint8' | 'quint8';
  x: number[];
  q: number[];
  dq: number[];
}
interface Golden {
  quantizePerTensor: (Fixed & { scale: number; zp: number })[];
  quantizePerChannel: (Fixed & { shape: number[]; axis: number; scale: number[]; zp: number[] })[];
  observers: { obs: string; shape: number[]; xs: number[][]; scale: number[]; zp: number[] }[];
  chooseQParams: { min: number; max: number; reduce_range: boolean; scale: number; zp: number }[];
}
const golden = JSON.parse(readFileSync(join(__dirname, 'golden', 'torch-1.13.json'), 'utf8')) as Golden;
const dtypes: Record<Fixed['dtype'], QuantizedDType> = { qint8: 'int8', quint8: 'uint8' };

describe.each(['qgemm', 'torch', 'torch-dynamic'] as const)('torch 1.13 golden values, numerics %s', (numerics) => {
  test.each(golden.quantizePerTensor)('quantize_per_tensor $dtype zp $zp', ({ dtype, scale, zp, x, q, dq }) => {
    const result = quantizePerTensor(Float32Array.from(x), scale, zp, dtypes[dtype], { numerics });
    expect(Array.from(result.data)).toEqual(q);
    expect(dequantize(result)).toEqual(Float32Array.from(dq));
  });

  test.each(golden.quantizePerChannel)('quantize_per_channel $dtype $shape axis $axis', (c) => {
    const x = Float32Array.from(c.x);
    const result = quantizePerChannel(x, c.shape, c.scale, c.zp, c.axis, dtypes[c.dtype], { numerics });
    expect(Array.from(result.data)).toEqual(c.q);
    expect(dequantize(result)).toEqual(Float32Array.from(c.dq));
  });
});

const observers: Record<string, QuantizeOptions> = {
  minmax_quint8_affine: { dtype: 'uint8', symmetric: false },
  minmax_quint8_affine_reduce: { dtype: 'uint8', symmetric: false, reduceRange: true },
  minmax_qint8_affine: { dtype: 'int8', symmetric: false },
  minmax_qint8_sym: { dtype: 'int8', symmetric: true },
  minmax_quint8_sym: { dtype: 'uint8', symmetric: true },
  minmax_m127_127: { dtype: 'int8', symmetric: true, qmin: -127, qmax: 127, eps: 2 ** -12 },
  default_observer_0_127: { dtype: 'uint8', symmetric: false, qmin: 0, qmax: 127 },
  pc_qint8_sym: { dtype: 'int8', symmetric: true, granularity: 'per-channel', axis: 0 },
  pc_quint8_affine: { dtype: 'uint8', symmetric: false, granularity: 'per-channel', axis: 0 },
};

describe('torch 1.13 golden values, observers', () => {
  test('every observer is in the file', () => {
    expect(new Set(golden.observers.map((c) => c.obs))).toEqual(new Set(Object.keys(observers)));
  });

  test.each(golden.observers)('$obs', ({ obs, shape, xs, scale, zp }) => {
    const [rows, columns] = shape as [number, number];
    // The batches one after another along the columns: the same tensor to an observer of rows or of everything.
    const x = Float32Array.from(
      Array.from({ length: rows }, (_, row) => xs.map((batch) => batch.slice(row * columns, (row + 1) * columns))).flat(
        2,
      ),
    );
    const options = { numerics: 'torch', ...observers[obs]! } as const;
    const result = chooseQParams(x, [rows, columns * xs.length], options);
    expect(result.scales).toEqual(Float32Array.from(scale));
    expect(Array.from(result.zeroPoints)).toEqual(zp);
  });
});

describe('torch 1.13 golden values, _choose_qparams_per_tensor', () => {
  test.each(golden.chooseQParams)('[$min, $max] reduceRange $reduce_range', (c) => {
    const options = { dtype: 'uint8', numerics: 'torch-dynamic', reduceRange: c.reduce_range } as const;
    const result = chooseQParams(Float32Array.of(c.min, c.max), [2], options);
    expect(result.scales[0]).toBe(Math.fround(c.scale));
    expect(result.zeroPoints[0]).toBe(c.zp);
  });
});

interface Ties {
  readonly scales: number[];
  readonly zeroPoints: number[];
  readonly codes: number[];
}

describe('half-way values with zero points, PyTorch 1.13 to 2.15 but for 2.13', () => {
  const text = readFileSync(join(__dirname, 'golden', 'torch-ties.json'), 'utf8');
  const ties = JSON.parse(text) as { shape: number[]; x: number[] } & Record<'per-tensor' | 'per-channel', Ties>;

  test.each(['per-tensor', 'per-channel'] as const)('observer and codes, %s', (granularity) => {
    const { scales, zeroPoints, codes } = ties[granularity];
    const options = { dtype: 'int8', symmetric: false, granularity, numerics: 'torch' } as const;
    const q = quantize(Float32Array.from(ties.x), ties.shape, options);
    expect(Array.from(q.scales)).toEqual(scales);
    expect(Array.from(q.zeroPoints)).toEqual(zeroPoints);
    expect(Array.from(q.data)).toEqual(codes);
    // With the zero point added before rounding, these would be other codes.
    const other = ties.x.filter((x, i) => {
      const channel = granularity === 'per-tensor' ? 0 : Math.floor(i / ties.shape[1]!);
      const sum = x / scales[channel]! + zeroPoints[channel]!;
      const even = sum % 1 === 0 ? sum : 2 * Math.round(sum / 2);
      return Math.abs(sum % 1) === 0.5 && even !== codes[i];
    });
    expect(other.length).toBeGreaterThan(granularity === 'per-tensor' ? 20 : 200);
  });
});
