// Float32 arithmetic in JavaScript's doubles: fround of one + - * / of two float32 values is correctly rounded.

export const f32 = Math.fround;
export const add = (a: number, b: number): number => f32(a + b);
export const sub = (a: number, b: number): number => f32(a - b);
export const mul = (a: number, b: number): number => f32(a * b);
export const div = (a: number, b: number): number => f32(a / b);

/** Rounds half to even. */
export function rne(v: number): number {
  const below = Math.floor(v);
  const fraction = v - below;
  if (fraction !== 0.5) return fraction < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

export const clamp = (v: number, lo: number, hi: number): number => Math.min(Math.max(v, lo), hi);

const double = new Float64Array(1);
const bits = new BigUint64Array(double.buffer);

/**
 * a * b + c rounded once to float32. The product is exact in double; TwoSum gives the error of the sum; rounding the sum
 * to odd makes the second rounding correct (Boldo and Melquiond, 2008).
 */
export function fma(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const virtual = sum - product;
  const error = product - (sum - virtual) + (c - virtual);
  if (!Number.isFinite(sum) || error === 0) return f32(sum);
  double[0] = sum;
  const odd = (bits[0]! & 1n) === 1n;
  if (!odd) bits[0] = error > 0 === sum > 0 ? bits[0]! + 1n : bits[0]! - 1n;
  return f32(double[0]);
}

const word = new Int32Array(1);
const single = new Float32Array(word.buffer);

/** The float32 with these bits. */
export function fromBits(value: number): number {
  word[0] = value;
  return single[0]!;
}
