import type { ErrorFigures, Histogram } from './error-stats.js';

/** How far one weight is from its original. */
export interface VerifiedWeight extends ErrorFigures {
  readonly name: string;
  /** How it is stored: `int8`, `float32`, or what its format calls it, such as `Q8_0` or `F16`. */
  readonly scheme: string;
  /** Shape and dtype in the original. */
  readonly shape: readonly number[];
  readonly dtype: string;
  /** As a matrix [N, K]. */
  readonly n: number;
  readonly k: number;
  /** Bytes in the original, and of all arrays that hold it now. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** 8 * bytesAfter over the number of its values. */
  readonly bitsPerWeight: number;
  /** Present where `verify` was asked for histograms. */
  readonly histograms?: { readonly weights: Histogram; readonly errors: Histogram };
}

/** A tensor that is equal byte for byte. */
export interface VerifiedTensor {
  readonly name: string;
  /** Or what its file calls the way it is stored, such as `Q4_K`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** A tensor that is not what it should be: not the same bytes, missing, or in the wrong place. */
export interface Mismatch {
  readonly name: string;
  readonly problem: string;
}

/** What `verify` found. */
export interface VerifyReport {
  /** The paths, as they were given. */
  readonly original: string;
  readonly quantized: string;
  /** Weights that are stored in another way than in the original, the lowest SQNR first. */
  readonly weights: readonly VerifiedWeight[];
  /** All those weights as one tensor. */
  readonly total: {
    readonly bytesBefore: number;
    readonly bytesAfter: number;
    readonly minSqnr: number;
    readonly minCosine: number;
    readonly maxError: number;
  };
  /** Number of tensors that are kept, and equal byte for byte. */
  readonly kept: number;
  readonly keptTensors: readonly VerifiedTensor[];
  /** Bytes of the original's tensors, and of the files of the converted model. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Empty when the second model holds everything of the first. */
  readonly mismatches: readonly Mismatch[];
}

export function totals(weights: readonly VerifiedWeight[]): VerifyReport['total'] {
  const total = { bytesBefore: 0, bytesAfter: 0, minSqnr: Infinity, minCosine: 1, maxError: 0 };
  for (const { bytesBefore, bytesAfter, sqnr, cosine, maxError } of weights) {
    total.bytesBefore += bytesBefore;
    total.bytesAfter += bytesAfter;
    total.minSqnr = Math.min(total.minSqnr, sqnr);
    total.minCosine = Math.min(total.minCosine, cosine);
    total.maxError = Math.max(total.maxError, maxError);
  }
  return total;
}

/** Worst first: what cannot be compared, then by SQNR, then by the largest error. */
export function byLoss(a: VerifiedWeight, b: VerifiedWeight): number {
  const rank = (value: number): number => (Number.isNaN(value) ? -Infinity : value);
  const difference = rank(a.sqnr) - rank(b.sqnr);
  return Number.isNaN(difference) || difference === 0 ? b.maxError - a.maxError : difference;
}
