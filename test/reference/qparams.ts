// Scales and zero points, one range at a time: the formulas of docs/quantization.md.
import { clamp, div, f32, mul, rne, sub } from './float32.js';

export type Mode = 'qgemm' | 'torch' | 'torch-dynamic' | 'onnx';

export interface Range {
  mode: Mode;
  signed: boolean;
  symmetric: boolean;
  qmin: number;
  qmax: number;
  /** torch: qmin and qmax were given by the caller. */
  custom?: boolean;
  eps?: number;
}

export interface QParams {
  scale: number;
  zeroPoint: number;
}

const smallestNormal = 2 ** -126;

/** Smallest and largest finite value, 0 included. */
export function finiteRange(values: Iterable<number>): { lo: number; hi: number } {
  let lo = 0;
  let hi = 0;
  for (const x of values) {
    if (!Number.isFinite(x)) continue;
    if (x < lo) lo = x;
    if (x > hi) hi = x;
  }
  return { lo, hi };
}

function qgemm(r: Range, lo: number, hi: number): QParams {
  const eps = r.eps ?? smallestNormal;
  if (r.symmetric) {
    const zeroPoint = r.signed ? 0 : Math.floor((r.qmin + r.qmax + 1) / 2);
    const steps = Math.min(r.qmax - zeroPoint, zeroPoint - r.qmin);
    return { scale: Math.max(div(Math.max(-lo, hi), steps), eps), zeroPoint };
  }
  const steps = r.qmax - r.qmin;
  const scale = Math.max(sub(div(hi, steps), div(lo, steps)), eps);
  return { scale, zeroPoint: r.qmin + clamp(rne(mul(-lo, div(1, scale))), 0, steps) };
}

function torch(r: Range, lo: number, hi: number, empty: boolean): QParams {
  const eps = r.eps ?? 2 ** -23;
  if (empty) return { scale: 1, zeroPoint: 0 };
  const steps = r.qmax - r.qmin;
  if (r.symmetric) {
    const middle = r.custom === true ? Math.floor((r.qmin + r.qmax) / 2) : 128;
    return { scale: Math.max(div(Math.max(-lo, hi), steps / 2), eps), zeroPoint: r.signed ? 0 : middle };
  }
  let scale = div(sub(hi, lo), steps);
  if (scale === Infinity) scale = sub(div(hi, steps), div(lo, steps));
  scale = Math.max(scale, eps);
  return { scale, zeroPoint: clamp(r.qmin - rne(div(lo, scale)), r.qmin, r.qmax) };
}

function torchDynamic(r: Range, lo: number, hi: number): QParams {
  const small = f32(6.1e-5);
  const steps = r.qmax - r.qmin;
  let scale = (hi - lo) / steps;
  if (f32(scale) === 0 || f32(1 / f32(scale)) === Infinity) scale = 0.1;
  if (scale < small) {
    const amplifier = div(small, f32(scale));
    scale = small;
    if (lo === 0) hi = mul(small, steps);
    else if (hi === 0) lo = -mul(small, steps);
    else [lo, hi] = [mul(lo, amplifier), mul(hi, amplifier)];
  }
  const minError = Math.abs(r.qmin) - Math.abs(lo / scale);
  const maxError = Math.abs(r.qmax) - Math.abs(hi / scale);
  const initial = minError < maxError ? r.qmin - lo / scale : r.qmax - hi / scale;
  return { scale: f32(scale), zeroPoint: rne(clamp(initial, r.qmin, r.qmax)) };
}

function onnx(r: Range, lo: number, hi: number): QParams {
  if (!r.signed && !r.symmetric) {
    const steps = r.qmax - r.qmin;
    let scale = div(sub(hi, lo), steps);
    if (scale === Infinity) scale = sub(div(hi, steps), div(lo, steps));
    if (scale < smallestNormal) return { scale: 1, zeroPoint: r.qmin };
    return { scale, zeroPoint: rne(clamp(sub(r.qmin, div(lo, scale)), r.qmin, r.qmax)) };
  }
  if (r.symmetric) {
    hi = Math.max(-lo, hi);
    lo = -hi;
  }
  const scale = (hi - lo) / (r.qmax - r.qmin);
  if (scale < smallestNormal) return { scale: 1, zeroPoint: clamp(0, r.qmin, r.qmax) };
  const zeroPoint = r.symmetric ? rne((r.qmin + r.qmax) / 2) : rne(r.qmin - lo / scale);
  return { scale: f32(scale), zeroPoint: clamp(zeroPoint, r.qmin, r.qmax) };
}

export function chooseQParams(r: Range, values: Iterable<number>): QParams {
  const all = [...values];
  const { lo, hi } = finiteRange(all);
  switch (r.mode) {
    case 'qgemm':
      return qgemm(r, lo, hi);
    case 'torch':
      return torch(r, lo, hi, all.length === 0);
    case 'torch-dynamic':
      return torchDynamic(r, lo, hi);
    case 'onnx':
      return onnx(r, lo, hi);
  }
}

/** The value a code stands for. */
export const dequantizeOne = (code: number, scale: number, zeroPoint: number): number => mul(code - zeroPoint, scale);

/** The code of one value. */
export function quantizeOne(x: number, p: QParams, qmin: number, qmax: number, divide = false): number {
  const t = divide ? div(x, p.scale) : mul(x, div(1, p.scale));
  if (Number.isNaN(t)) return p.zeroPoint;
  return clamp(rne(clamp(t, -1000, 1000)) + p.zeroPoint, qmin, qmax) + 0;
}
