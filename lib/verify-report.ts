/** How far one packed weight is from its original. */
export interface VerifiedWeight {
  readonly name: string;
  readonly scheme: string;
  readonly n: number;
  readonly k: number;
  /** 10 log10(sum w^2 / sum (w - w')^2) in dB; Infinity when nothing differs, NaN when one side is not finite. */
  readonly sqnr: number;
  /** Cosine of the angle between the two tensors. */
  readonly cosine: number;
  /** Largest |w - w'|. */
  readonly maxError: number;
  /** Bytes in the original, and of all packed arrays. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** A tensor that is not what it should be: not the same bytes, missing, or in the wrong place. */
export interface Mismatch {
  readonly name: string;
  readonly problem: string;
}

/** What `verify` found. */
export interface VerifyReport {
  readonly original: string;
  readonly quantized: string;
  /** Packed weights, the lowest SQNR first. */
  readonly weights: readonly VerifiedWeight[];
  /** All packed weights as one tensor. */
  readonly total: {
    readonly bytesBefore: number;
    readonly bytesAfter: number;
    readonly minSqnr: number;
    readonly minCosine: number;
    readonly maxError: number;
  };
  /** Number of tensors that are kept, and equal byte for byte. */
  readonly kept: number;
  /** Bytes of the original's tensors, and of the converted file. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Empty when the second file holds everything of the first. */
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
