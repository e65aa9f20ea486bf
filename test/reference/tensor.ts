// Whole tensors by plain loops over [outer, axis, inner].
import { chooseQParams, dequantizeOne, quantizeOne, type QParams, type Range } from './qparams.js';

export interface Fold {
  outer: number;
  axis: number;
  inner: number;
}

/** The channel of each element. */
export function channels(fold: Fold): number[] {
  const result: number[] = [];
  for (let o = 0; o < fold.outer; o++) {
    for (let c = 0; c < fold.axis; c++) {
      for (let i = 0; i < fold.inner; i++) result.push(c);
    }
  }
  return result;
}

export function chooseTensor(range: Range, x: ArrayLike<number>, fold: Fold): QParams[] {
  const values: number[][] = Array.from({ length: fold.axis }, () => []);
  channels(fold).forEach((channel, i) => values[channel]!.push(x[i]!));
  return values.map((list) => chooseQParams(range, list));
}

export function quantizeTensor(
  x: ArrayLike<number>,
  fold: Fold,
  params: readonly QParams[],
  qmin: number,
  qmax: number,
  divide = false,
): number[] {
  return channels(fold).map((channel, i) => quantizeOne(x[i]!, params[channel]!, qmin, qmax, divide));
}

export function dequantizeTensor(codes: ArrayLike<number>, fold: Fold, params: readonly QParams[]): number[] {
  return channels(fold).map((channel, i) => {
    const { scale, zeroPoint } = params[channel]!;
    return dequantizeOne(codes[i]!, scale, zeroPoint);
  });
}
