// native/kernels/activations.inc, formula by formula, one value at a time.
import { add, div, f32, fma, fromBits, mul, rne, sub } from './float32.js';

export type Activation = 'none' | 'relu' | 'gelu' | 'gelu-tanh' | 'silu';

/** e^x for x <= 0; 0 below -87.3. */
function expNonpositive(x: number): number {
  if (x < f32(-87.3)) return 0;
  if (Number.isNaN(x)) return x;
  const n = rne(mul(x, f32(1.4426950408889634)));
  let r = fma(n, f32(-0.693359375), x);
  r = fma(n, f32(2.1219444e-4), r);
  let p = f32(1.98756915e-4);
  for (const c of [1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1]) {
    p = fma(p, r, f32(c));
  }
  p = add(fma(p, mul(r, r), r), 1);
  return mul(p, fromBits((n + 127) << 23));
}

function sigmoid(x: number): number {
  const e = expNonpositive(sub(0, Math.abs(x)));
  return div(x < 0 ? e : 1, add(1, e));
}

function geluTanh(x: number): number {
  const inner = fma(mul(mul(x, x), x), f32(0.044715), x);
  return mul(x, sigmoid(mul(inner, f32(1.5957691216057308))));
}

function gelu(x: number): number {
  const z = mul(Math.abs(x), f32(0.7071067811865476));
  const t = div(1, fma(z, 0.5, 1));
  let p = f32(0.17087277);
  for (const c of [
    -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223,
  ]) {
    p = fma(p, t, f32(c));
  }
  const tail = mul(mul(t, 0.5), expNonpositive(fma(sub(0, z), z, p)));
  return mul(x, x < 0 ? tail : sub(1, tail));
}

export function activate(activation: Activation, x: number): number {
  switch (activation) {
    case 'none':
      return x;
    case 'relu':
      return x < 0 ? 0 : x;
    case 'gelu':
      return gelu(x);
    case 'gelu-tanh':
      return geluTanh(x);
    case 'silu':
      return mul(x, sigmoid(x));
  }
}
