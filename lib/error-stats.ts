import { native } from './native.js';

/** Counts of values over [-range, range) in bins of equal width; the bin in the middle begins at 0. */
export interface Histogram {
  /** A power of two; 0 when all values are 0. */
  readonly range: number;
  readonly counts: readonly number[];
}

/** How far an approximation of a tensor is from its original. */
export interface ErrorFigures {
  /** 10 log10(sum x^2 / sum (x - y)^2) in dB; Infinity when nothing differs, NaN when one side is not finite. */
  readonly sqnr: number;
  /** Cosine of the angle between the two tensors. */
  readonly cosine: number;
  /** Largest |x - y|. */
  readonly maxError: number;
}

/** The order of the struct ErrorStats in native/core/error_stats.h, in doubles. */
const BINS = 128;
const VALUES = 8;
const ERRORS = VALUES + 1 + BINS;
const DOUBLES = ERRORS + 1 + BINS;

/** Collects the error of a tensor that is compared piece by piece. */
export class ErrorStats {
  readonly #stats = new Float64Array(DOUBLES);

  add(original: Float32Array, approximation: Float32Array): void {
    native.accumulateErrors(this.#stats, original, approximation);
  }

  get figures(): ErrorFigures {
    return native.comparisonOf(this.#stats);
  }

  /** Of the original's values. Pairs with a NaN or an infinity are in neither histogram. */
  get values(): Histogram {
    return this.#histogram(VALUES);
  }

  /** Of approximation minus original. */
  get errors(): Histogram {
    return this.#histogram(ERRORS);
  }

  #histogram(start: number): Histogram {
    return { range: this.#stats[start]!, counts: [...this.#stats.subarray(start + 1, start + 1 + BINS)] };
  }
}
