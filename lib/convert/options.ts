import { checkOneOf, checkOptions, fail } from '../check.js';
import {
  ACTIVATION_RANGES,
  GRANULARITIES,
  SCHEMES,
  type ActivationRange,
  type WeightGranularity,
  type Scheme,
} from '../schemes.js';

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
  /** How matmul weights are stored: quantized to `int8` (default), or packed as `float32`. */
  scheme?: Scheme;
  /** One scale per output channel (default) or per tensor. */
  granularity?: WeightGranularity;
  /** Weights without (default) or with a zero point. */
  symmetric?: boolean;
  /** How activations are quantized when the weights are used: `asymmetric` (default) is more accurate. */
  activations?: ActivationRange;
  /** What to do with NaN and infinities in weights: refuse them (default), or clip them to the range of the others. */
  nonFinite?: 'error' | 'clip';
  /**
   * Names of tensors to quantize instead of those that the format's rule finds; `*` stands for any characters, `?` for one.
   * They must be 2-d and float.
   */
  include?: readonly string[];
  /** Names of tensors to keep as they are. Stronger than `include`. */
  exclude?: readonly string[];
  /** Called after every tensor. */
  onProgress?: (progress: ConvertProgress) => void;
  /** Stops the conversion: the promise rejects with the signal's reason, and nothing is left behind. */
  signal?: AbortSignal;
}

/** Options with every default filled in. */
export type ConvertSettings = Required<Omit<ConvertOptions, 'onProgress' | 'signal'>> &
  Pick<ConvertOptions, 'onProgress' | 'signal'>;

const KNOWN = [
  'scheme',
  'granularity',
  'symmetric',
  'activations',
  'nonFinite',
  'include',
  'exclude',
  'onProgress',
  'signal',
] as const;

export function checkConvertOptions(value: unknown): ConvertSettings {
  const options = checkOptions<ConvertOptions>('options', value, KNOWN);
  const { scheme = 'int8', granularity = 'per-channel', symmetric = true } = options;
  const { activations = 'asymmetric', nonFinite = 'error', onProgress, signal } = options;
  if (typeof symmetric !== 'boolean') fail('ERR_QGEMM_ARGUMENT', 'symmetric', 'a boolean', symmetric);
  if (onProgress !== undefined && typeof onProgress !== 'function')
    fail('ERR_QGEMM_ARGUMENT', 'onProgress', 'a function', onProgress);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    fail('ERR_QGEMM_ARGUMENT', 'signal', 'an AbortSignal', signal);
  return {
    scheme: checkOneOf('scheme', scheme, SCHEMES),
    granularity: checkOneOf('granularity', granularity, GRANULARITIES),
    symmetric,
    activations: checkOneOf('activations', activations, ACTIVATION_RANGES),
    nonFinite: checkOneOf('nonFinite', nonFinite, ['error', 'clip']),
    include: globs('include', options.include),
    exclude: globs('exclude', options.exclude),
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  };
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

/** Checks a path argument: a string that is not empty and has no zero byte. */
export function checkPath(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '' || value.includes('\0'))
    fail('ERR_QGEMM_ARGUMENT', name, 'a path', value);
  return value;
}
