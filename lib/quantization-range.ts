import { checkInteger, checkOneOf, fail } from './check.js';
import { QgemmError } from './errors.js';
import { codeRange, type QuantizedDType } from './tensor.js';

/**
 * Whose formulas are followed, code for code (docs/quantization.md):
 * `qgemm`, the default of this package; `torch`, the observers and `quantize_per_tensor` of PyTorch; `torch-dynamic`,
 * `torch._choose_qparams_per_tensor`; `onnx`, DynamicQuantizeLinear, QuantizeLinear and onnxruntime's quantizer.
 */
export type Numerics = 'qgemm' | 'torch' | 'torch-dynamic' | 'onnx';

/** In the order of native/core/qparams.h. */
export const numericsModes: readonly Numerics[] = ['qgemm', 'torch', 'torch-dynamic', 'onnx'];

export interface CodeRangeOptions {
  /** Zero point fixed in the middle. Default: true for int8, false for uint8 and for `torch-dynamic`. */
  readonly symmetric?: boolean | undefined;
  readonly numerics?: Numerics | undefined;
  /** Uses 7 bits, as PyTorch and onnxruntime do where int16 sums saturate. This package's kernels never need it. */
  readonly reduceRange?: boolean | undefined;
  /** Smallest code to map to; default depends on dtype, `symmetric` and `numerics`. */
  readonly qmin?: number | undefined;
  /** Largest code to map to. */
  readonly qmax?: number | undefined;
  /** Smallest scale, in [2^-126, 1]; `qgemm` (2^-126) and `torch` (2^-23) only. */
  readonly eps?: number | undefined;
}

/** What the native core is told: QRange of native/core/qparams.h, and the range that codes are clamped to. */
export interface CodeRange {
  readonly numerics: number;
  readonly signed: boolean;
  readonly symmetric: boolean;
  readonly qmin: number;
  readonly qmax: number;
  readonly customRange: boolean;
  readonly eps: number;
  readonly clampMin: number;
  readonly clampMax: number;
  /** Codes are made from x / scale, else from x * (1 / scale). */
  readonly divide: boolean;
}

type Limits = readonly [qmin: number, qmax: number];

function defaultLimits(dtype: QuantizedDType, symmetric: boolean, numerics: Numerics, reduceRange: boolean): Limits {
  const signed = dtype === 'int8';
  if (numerics === 'qgemm' && symmetric) {
    if (reduceRange) return signed ? [-63, 63] : [1, 127];
    return signed ? [-127, 127] : [1, 255];
  }
  if (numerics === 'onnx' && signed) {
    if (reduceRange) return [-64, 64];
    return symmetric ? [-127, 127] : [-128, 127];
  }
  if (reduceRange) return signed ? [-64, 63] : [0, 127];
  return signed ? [-128, 127] : [0, 255];
}

function customLimits(dtype: QuantizedDType, o: CodeRangeOptions, numerics: Numerics, fallback: Limits): Limits {
  const { lowest, highest } = codeRange(dtype);
  const qmin = o.qmin === undefined ? fallback[0] : checkInteger('options.qmin', o.qmin, lowest, highest);
  const qmax = o.qmax === undefined ? fallback[1] : checkInteger('options.qmax', o.qmax, lowest, highest);
  if (qmin >= qmax) fail('ERR_QGEMM_RANGE', 'options.qmin', `less than qmax (${qmax})`, qmin);
  if (o.reduceRange !== true) return [qmin, qmax];
  if (numerics !== 'torch') {
    throw new QgemmError(
      'ERR_QGEMM_ARGUMENT',
      `options.reduceRange must be absent beside qmin and qmax, except with numerics 'torch', got ${numerics}`,
    );
  }
  return [Math.floor(qmin / 2), Math.floor(qmax / 2)];
}

function checkEps(numerics: Numerics, eps: number | undefined): number {
  if (eps === undefined) return numerics === 'torch' ? 2 ** -23 : 2 ** -126;
  if (numerics !== 'qgemm' && numerics !== 'torch') {
    fail('ERR_QGEMM_ARGUMENT', 'options.eps', `absent with numerics '${numerics}'`, eps);
  }
  if (typeof eps !== 'number') fail('ERR_QGEMM_ARGUMENT', 'options.eps', 'a number', eps);
  if (!(eps >= 2 ** -126 && eps <= 1)) fail('ERR_QGEMM_RANGE', 'options.eps', 'in [2^-126, 1]', eps);
  return Math.fround(eps);
}

function checkFlag(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') fail('ERR_QGEMM_ARGUMENT', name, 'a boolean', value);
  return value;
}

/** Resolves defaults and checks what the options say about codes. */
export function resolveCodeRange(dtype: QuantizedDType, o: CodeRangeOptions): CodeRange {
  const numerics = checkNumerics(o.numerics);
  const symmetric = checkFlag('options.symmetric', o.symmetric, dtype === 'int8' && numerics !== 'torch-dynamic');
  const reduceRange = checkFlag('options.reduceRange', o.reduceRange, false);
  if (symmetric && numerics === 'torch-dynamic') {
    fail('ERR_QGEMM_ARGUMENT', 'options.symmetric', "false with numerics 'torch-dynamic'", symmetric);
  }
  const customRange = o.qmin !== undefined || o.qmax !== undefined;
  const full = customRange && numerics === 'torch';
  const defaults = defaultLimits(dtype, symmetric, numerics, reduceRange && !full);
  const [qmin, qmax] = customRange ? customLimits(dtype, o, numerics, defaults) : defaults;
  const signed = dtype === 'int8';
  if (symmetric && numerics === 'qgemm') {
    const middle = signed ? 0 : Math.floor((qmin + qmax + 1) / 2);
    if (qmin >= middle || qmax <= middle) {
      fail('ERR_QGEMM_RANGE', 'options.qmin', `below the zero point ${middle}, and qmax above it`, [qmin, qmax]);
    }
  }
  // The originals saturate to the dtype even where the range was chosen narrower.
  const { lowest, highest } = codeRange(dtype);
  const [clampMin, clampMax] = numerics === 'qgemm' ? [qmin, qmax] : [lowest, highest];
  const eps = checkEps(numerics, o.eps);
  return {
    numerics: numericsModes.indexOf(numerics),
    signed,
    symmetric,
    qmin,
    qmax,
    customRange,
    eps,
    clampMin,
    clampMax,
    divide: divides(numerics),
  };
}

export function checkNumerics(value: unknown): Numerics {
  return value === undefined ? 'qgemm' : checkOneOf('options.numerics', value, numericsModes);
}

/** Codes are made from x / scale in this mode, from x * (1/scale) in the others. */
export function divides(numerics: Numerics): boolean {
  return numerics === 'onnx';
}
