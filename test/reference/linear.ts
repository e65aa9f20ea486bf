// What Linear.forward must give: activations quantized per row, exact sums, epilogue in float32, in design order.
import { activate, type Activation } from './activations.js';
import { add, fma, mul } from './float32.js';
import { chooseQParams, quantizeOne, type Range } from './qparams.js';

export interface QuantizedRow {
  codes: number[];
  scale: number;
  zeroPoint: number;
}

/** One row of activations as uint8: asymmetric 0..255, or symmetric 1..255 around 128. */
export function quantizeRow(x: ArrayLike<number>, symmetric = false): QuantizedRow {
  const range: Range = { mode: 'qgemm', signed: false, symmetric, qmin: symmetric ? 1 : 0, qmax: 255 };
  const { scale, zeroPoint } = chooseQParams(range, Array.from(x));
  const codes = Array.from(x, (v) => quantizeOne(v, { scale, zeroPoint }, range.qmin, range.qmax));
  return { codes, scale, zeroPoint };
}

export interface CodeParameters {
  scale: number;
  zeroPoint: number;
  dtype: 'int8' | 'uint8';
}

/** One value as a code of the dtype, with a given scale and zero point. */
export function toCode(x: number, p: CodeParameters): number {
  const lowest = p.dtype === 'int8' ? -128 : 0;
  return quantizeOne(x, p, lowest, lowest + 255);
}

/** Quantized weights: codes [n, k], one scale (and zero point) per row. */
export interface ReferenceWeights {
  n: number;
  k: number;
  codes: ArrayLike<number>;
  scales: ArrayLike<number>;
  zeroPoints?: ArrayLike<number>;
}

export interface LinearOptions {
  bias?: ArrayLike<number>;
  activation?: Activation;
  residual?: ArrayLike<number>;
  symmetricActivations?: boolean;
  /** Static activations. */
  input?: CodeParameters;
  /** Results as codes. */
  output?: CodeParameters;
}

function quantizeInput(x: ArrayLike<number>, m: number, k: number, o: LinearOptions): QuantizedRow[] {
  return Array.from({ length: m }, (_, i) => {
    const row = Array.from({ length: k }, (_, p) => x[i * k + p]!);
    if (o.input === undefined) return quantizeRow(row, o.symmetricActivations);
    const { scale, zeroPoint } = o.input;
    return { codes: row.map((value) => toCode(value, o.input!)), scale, zeroPoint };
  });
}

/** y[m, n] = activation(x . W^T * scales + bias) + residual for int8 weights; codes of it with `output`. */
export function linearInt8(x: ArrayLike<number>, w: ReferenceWeights, o: LinearOptions = {}): Float32Array {
  return linearRows(quantizeInput(x, w.k === 0 ? 0 : x.length / w.k, w.k, o), w, o);
}

/** The same from rows that are quantized. */
export function linearRows(rows: readonly QuantizedRow[], w: ReferenceWeights, o: LinearOptions = {}): Float32Array {
  const y = new Float32Array(rows.length * w.n);
  for (const [i, row] of rows.entries()) {
    for (let j = 0; j < w.n; j++) {
      const zero = w.zeroPoints?.[j] ?? 0;
      let sum = 0;
      for (let p = 0; p < w.k; p++) sum += (row.codes[p]! - row.zeroPoint) * (w.codes[j * w.k + p]! - zero);
      const scale = mul(row.scale, w.scales[j]!);
      const activated = activate(o.activation ?? 'none', fma(Math.fround(sum), scale, o.bias?.[j] ?? 0));
      const value = o.residual ? add(activated, o.residual[i * w.n + j]!) : activated;
      y[i * w.n + j] = o.output ? toCode(value, o.output) : value;
    }
  }
  return y;
}

/** y[m, n] for float32 weights [n, k]: one accumulator, one fma per k in ascending order, bias after. */
export function linearFloat32(x: ArrayLike<number>, w: ArrayLike<number>, n: number, k: number, o: LinearOptions = {}) {
  const m = k === 0 ? 0 : x.length / k;
  const y = new Float32Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum = fma(x[i * k + p]!, w[j * k + p]!, sum);
      if (o.bias) sum = add(sum, o.bias[j]!);
      const value = activate(o.activation ?? 'none', sum);
      y[i * n + j] = o.residual ? add(value, o.residual[i * n + j]!) : value;
    }
  }
  return y;
}
