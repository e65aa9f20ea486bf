import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  dequantize,
  matmulInteger,
  quantize,
  quantizePerChannel,
  quantizePerTensor,
  type QuantizedDType,
} from '../lib/index.js';

// Values made by onnxruntime (test/golden/make-onnxruntime.py).
interface Chosen {
  name: string;
  x: number[];
  q: number[];
  scale: number;
  zp: number;
}
interface Golden {
  dynamicQuantizeLinear: Chosen[];
  quantizeData: (Chosen & { dtype: QuantizedDType; symmetric: boolean; reduceRange: boolean })[];
  quantizeLinear: {
    dtype: QuantizedDType;
    shape: number[];
    axis: number | null;
    scale: number[];
    zp: number[];
    x: number[];
    q: number[];
    dq: number[];
  }[];
  matmulInteger: {
    aDtype: QuantizedDType;
    bDtype: QuantizedDType;
    m: number;
    n: number;
    k: number;
    a: number[];
    b: number[];
    aZeroPoint: number;
    bZeroPoint: number;
    c: number[];
  }[];
}
const golden = JSON.parse(readFileSync(join(__dirname, 'golden', 'onnxruntime.json'), 'utf8')) as Golden;
const numerics = 'onnx';

describe('onnxruntime golden values', () => {
  test.each(golden.dynamicQuantizeLinear)('DynamicQuantizeLinear, $name', ({ x, q, scale, zp }) => {
    const result = quantize(Float32Array.from(x), [x.length], { dtype: 'uint8', numerics });
    expect(result.scales[0]).toBe(Math.fround(scale));
    expect(result.zeroPoints[0]).toBe(zp);
    expect(Array.from(result.data)).toEqual(q);
  });

  test.each(golden.quantizeData)(
    'quantize_data $dtype symmetric $symmetric reduceRange $reduceRange, $name',
    ({ dtype, symmetric, reduceRange, x, q, scale, zp }) => {
      const result = quantize(Float32Array.from(x), [x.length], { dtype, symmetric, reduceRange, numerics });
      expect(result.scales[0]).toBe(Math.fround(scale));
      expect(result.zeroPoints[0]).toBe(zp);
      expect(Array.from(result.data)).toEqual(q);
    },
  );

  test.each(golden.quantizeLinear)('QuantizeLinear and DequantizeLinear $dtype $shape axis $axis', (c) => {
    const x = Float32Array.from(c.x);
    const result =
      c.axis === null
        ? quantizePerTensor(x, c.scale[0]!, c.zp[0]!, c.dtype, { numerics })
        : quantizePerChannel(x, c.shape, c.scale, c.zp, c.axis, c.dtype, { numerics });
    expect(Array.from(result.data)).toEqual(c.q);
    expect(dequantize(result)).toEqual(Float32Array.from(c.dq));
  });

  test.each(golden.matmulInteger)('MatMulInteger $aDtype x $bDtype', (c) => {
    const codes = (dtype: QuantizedDType, values: number[]) =>
      dtype === 'int8' ? Int8Array.from(values) : Uint8Array.from(values);
    const { aZeroPoint, bZeroPoint } = c;
    const result = matmulInteger(codes(c.aDtype, c.a), codes(c.bDtype, c.b), c.m, c.n, c.k, { aZeroPoint, bZeroPoint });
    expect(Array.from(result)).toEqual(c.c);
  });
});
