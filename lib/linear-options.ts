import { checkInteger, checkOneOf, checkOptions, fail } from './check.js';
import type { NativeCodeParameters } from './native-types.js';
import { checkDType, checkScale, codeRange, type QuantizedDType } from './tensor.js';

/** What is applied to each output. */
export type Activation = 'none' | 'relu' | 'gelu' | 'gelu-tanh' | 'silu';

/** @internal In the order of native/kernels/kernel.h. */
export const activations: readonly Activation[] = ['none', 'relu', 'gelu', 'gelu-tanh', 'silu'];

/** What a layer returns: float32 values, or codes for a next layer that takes them. */
export type OutputDType = 'float32' | QuantizedDType;

/** The array that holds outputs of a type. */
export type OutputArray<D extends OutputDType> = D extends 'int8'
  ? Int8Array
  : D extends 'uint8'
    ? Uint8Array
    : Float32Array;

/** One scale and zero point for a whole tensor of 8-bit codes: `x = (code - zeroPoint) * scale`. */
export interface CodeParameters<D extends OutputDType = QuantizedDType> {
  /** Finite and > 0 once rounded to float32. */
  readonly scale: number;
  /** A code of the dtype. */
  readonly zeroPoint: number;
  readonly dtype: D & QuantizedDType;
}

/** Options of {@link Linear}. */
export interface LinearOptions<D extends OutputDType = OutputDType> {
  /** N values, added before the activation. Copied. */
  bias?: Float32Array;
  /** Default `'none'`. `'gelu'` is the exact one (erf), `'gelu-tanh'` its usual approximation. */
  activation?: Activation;
  /** What NaN and infinities in x do: `'clip'` (default) takes the nearest code, `'error'` throws RANGE. */
  nonFinite?: 'clip' | 'error';
  /**
   * Static activations: all rows of x are quantized with this scale and zero point, found by calibration, instead of each
   * with its own range: `clamp(rne(x * (1 / scale)) + zeroPoint)` to the range of the dtype. Int8 weights only.
   */
  input?: CodeParameters;
  /** Quantizes y, after activation and residual, by the same formula: forward then returns codes of that dtype. */
  output?: CodeParameters<D>;
}

const optionNames = ['bias', 'activation', 'nonFinite', 'input', 'output'] as const;

/** @internal The options with defaults, checked except for `bias`, which needs N. */
export interface CheckedLinearOptions {
  readonly bias: Float32Array | undefined;
  readonly activation: number;
  readonly rejectNonFinite: boolean;
  readonly input: NativeCodeParameters | null;
  readonly output: NativeCodeParameters | null;
}

function readParameters(name: string, value: unknown): NativeCodeParameters | null {
  if (value === undefined) return null;
  if (value === null) fail('ERR_QGEMM_ARGUMENT', name, 'an object', value);
  const given = checkOptions<CodeParameters>(name, value, ['scale', 'zeroPoint', 'dtype']);
  const dtype = checkDType(`${name}.dtype`, given.dtype);
  const { lowest, highest } = codeRange(dtype);
  return {
    scale: checkScale(`${name}.scale`, given.scale),
    zeroPoint: checkInteger(`${name}.zeroPoint`, given.zeroPoint, lowest, highest),
    signed: dtype === 'int8',
  };
}

/** @internal */
export function readLinearOptions(options: LinearOptions | undefined, float32Weights: boolean): CheckedLinearOptions {
  const given = checkOptions<LinearOptions>('options', options, optionNames);
  const { bias, activation = 'none', nonFinite = 'clip' } = given;
  checkOneOf('activation', activation, activations);
  checkOneOf('nonFinite', nonFinite, ['clip', 'error']);
  const input = readParameters('input', given.input);
  if (input !== null && float32Weights) {
    fail('ERR_QGEMM_ARGUMENT', 'input', 'absent for float32 weights, whose activations stay float32', given.input);
  }
  return {
    bias,
    activation: activations.indexOf(activation),
    rejectNonFinite: nonFinite === 'error',
    input,
    output: readParameters('output', given.output),
  };
}
