import { checkOneOf, checkOptions, checkPath, fail } from '../check.js';
import type { ModelWriter } from '../formats/writer.js';
import {
  ACTIVATION_RANGES,
  GRANULARITIES,
  WEIGHT_NUMERICS,
  type ActivationRange,
  type WeightGranularity,
  type WeightNumerics,
  type WeightScheme,
} from '../schemes.js';
import { readRecipe, type RecipeRule } from './recipe.js';
import { WRITERS, findWriter } from './writers.js';

/** Where a conversion is. */
export interface ConvertProgress {
  /** The tensor that was written last. */
  readonly tensor: string;
  readonly tensorsDone: number;
  readonly tensorsTotal: number;
  /** Bytes of the source's tensors that are done, and all of them. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** Options of `convert`. */
export interface ConvertOptions {
  /** What to write: `safetensors` (default), packed for `loadModel`, or a format of others (docs/converting.md). */
  format?: string;
  /** How matmul weights are stored. The default is the format's: `int8` for `safetensors`, which also takes `float32`. */
  scheme?: WeightScheme;
  /** One scale per output channel (default) or per tensor. */
  granularity?: WeightGranularity;
  /** Weights without (default) or with a zero point. */
  symmetric?: boolean;
  /** How activations are quantized when the weights are used: `asymmetric` (default) is more accurate. */
  activations?: ActivationRange;
  /** Whose formulas make the codes of weights (docs/quantization.md): `qgemm` (default; `ggml` for q8_0), or another's. */
  numerics?: WeightNumerics;
  /** Quantizes weights anew that the source holds in 8 bits already. By default their codes are kept exactly. */
  requantize?: boolean;
  /** What to do with NaN and infinities in weights: refuse them (default), or clip them to the range of the others. */
  nonFinite?: 'error' | 'clip';
  /**
   * Names of tensors to quantize instead of those that the format's rule finds; `*` stands for any characters, `?` for one.
   * They must be 2-d and float.
   */
  include?: readonly string[];
  /** Names of tensors to keep as they are. Stronger than `include`. */
  exclude?: readonly string[];
  /** Path of a JSON file of rules for single weights (docs/converting.md); the first whose glob matches counts. */
  recipe?: string;
  /** Reports what would be written, and writes nothing. */
  dryRun?: boolean;
  /** Goes on where a process that was killed in the same conversion has stopped; without one, begins anew. */
  resume?: boolean;
  /**
   * Compares what was written with the source, as `verify` does with histograms, before it appears under its name: `errors`
   * of the report. Reads both once more. Default false.
   */
  measure?: boolean;
  /** Called after every tensor. A promise that it returns is waited for; what it throws or rejects with stops the conversion. */
  onProgress?: (progress: ConvertProgress) => unknown;
  /** Stops the conversion: the promise rejects with the signal's reason, and nothing is left behind. */
  signal?: AbortSignal;
}

/** Options with every default filled in. */
export type ConvertSettings = Required<Omit<ConvertOptions, 'format' | 'recipe' | 'onProgress' | 'signal'>> &
  Pick<ConvertOptions, 'onProgress' | 'signal'> & {
    readonly writer: ModelWriter;
    readonly recipe: readonly RecipeRule[];
  };

const KNOWN = [
  'format',
  'scheme',
  'granularity',
  'symmetric',
  'activations',
  'numerics',
  'requantize',
  'nonFinite',
  'include',
  'exclude',
  'recipe',
  'dryRun',
  'resume',
  'measure',
  'onProgress',
  'signal',
] as const;

export function checkConvertOptions(value: unknown): ConvertSettings {
  const options = checkOptions<ConvertOptions>('options', value, KNOWN);
  const formats = WRITERS.map(({ format }) => format);
  const writer = findWriter(checkOneOf('format', options.format ?? formats[0], formats))!;
  const { scheme = writer.schemes[0]!, granularity = 'per-channel' } = options;
  const { activations = 'asymmetric', nonFinite = 'error', onProgress, signal } = options;
  const numerics = options.numerics ?? (scheme === 'q8_0' ? 'ggml' : 'qgemm');
  if (onProgress !== undefined && typeof onProgress !== 'function')
    fail('ERR_QGEMM_ARGUMENT', 'onProgress', 'a function', onProgress);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    fail('ERR_QGEMM_ARGUMENT', 'signal', 'an AbortSignal', signal);
  const symmetric = flag('symmetric', options.symmetric, true);
  checkOneOf('numerics', numerics, WEIGHT_NUMERICS);
  checkNumerics(checkOneOf('scheme', scheme, writer.schemes), symmetric, numerics);
  return {
    writer,
    scheme,
    granularity: checkOneOf('granularity', granularity, GRANULARITIES),
    symmetric,
    activations: checkOneOf('activations', activations, ACTIVATION_RANGES),
    numerics,
    requantize: flag('requantize', options.requantize, false),
    nonFinite: checkOneOf('nonFinite', nonFinite, ['error', 'clip']),
    include: globs('include', options.include),
    exclude: globs('exclude', options.exclude),
    recipe: options.recipe === undefined ? [] : readRecipe(checkPath('recipe', options.recipe)),
    dryRun: flag('dryRun', options.dryRun, false),
    resume: flag('resume', options.resume, false),
    measure: flag('measure', options.measure, false),
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  };
}

/** Some formulas belong to some schemes. */
export function checkNumerics(scheme: WeightScheme, symmetric: boolean, numerics: WeightNumerics): void {
  if (numerics === 'ggml' && scheme === 'int8') {
    fail(
      'ERR_QGEMM_ARGUMENT',
      'numerics',
      "another toolkit's for scheme 'int8' (ggml has no scale per channel)",
      numerics,
    );
  }
  if (scheme === 'q8_0' && numerics !== 'ggml')
    fail('ERR_QGEMM_ARGUMENT', 'numerics', "'ggml' for scheme 'q8_0'", numerics);
  if (scheme === 'q8_0' && !symmetric) fail('ERR_QGEMM_ARGUMENT', 'symmetric', "true for scheme 'q8_0'", symmetric);
  if (numerics === 'compressed-tensors' && !symmetric) {
    fail('ERR_QGEMM_ARGUMENT', 'symmetric', "true with numerics 'compressed-tensors'", symmetric);
  }
}

function flag(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') fail('ERR_QGEMM_ARGUMENT', name, 'a boolean', value);
  return value;
}

function globs(name: string, value: unknown): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) fail('ERR_QGEMM_ARGUMENT', name, 'an array of strings', value);
  for (const glob of value as unknown[]) {
    if (typeof glob !== 'string' || glob === '')
      fail('ERR_QGEMM_ARGUMENT', name, 'an array of strings that are not empty', value);
  }
  return value as string[];
}
