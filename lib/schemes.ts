/** How weights are stored. The index of each name is the number that the native core uses. */
export const SCHEMES = ['int8', 'float32'] as const;
/** Whether every output channel has a scale of its own, or the whole matrix one. */
export const GRANULARITIES = ['per-channel', 'per-tensor'] as const;
/** How the activations that meet these weights are quantized, row by row. */
export const ACTIVATION_RANGES = ['asymmetric', 'symmetric'] as const;

/** How packed weights are stored: int8 codes with scales, or float32. */
export type Scheme = (typeof SCHEMES)[number];

/** How `convert` can store weights: packed for this package ({@link SCHEMES}), or as other formats do. */
export const WEIGHT_SCHEMES = ['int8', 'float32', 'q8_0', 'float16'] as const;
/** Whose formulas weights are quantized by (docs/quantization.md); `ggml` is that of q8_0. */
export const WEIGHT_NUMERICS = ['qgemm', 'torch', 'onnx', 'compressed-tensors', 'ggml'] as const;

export type WeightScheme = (typeof WEIGHT_SCHEMES)[number];
export type WeightNumerics = (typeof WEIGHT_NUMERICS)[number];
/** What shares a scale: a row of W (an output channel), or all of W. */
export type WeightGranularity = (typeof GRANULARITIES)[number];
/** How rows of activations are quantized: with a zero point over their range, or symmetrically around 0. */
export type ActivationRange = (typeof ACTIVATION_RANGES)[number];

/**
 * Largest K whose int32 sums cannot overflow: floor((2^31 - 1) / (255 * 128)) products of a uint8 and an int8 code, or
 * floor((2^31 - 1) / (255 * 255)) where zero points of the weights move their codes too.
 */
export function maxK(scheme: WeightScheme, symmetric: boolean): number {
  if (scheme !== 'int8') return Number.MAX_SAFE_INTEGER;
  return symmetric ? 65_793 : 33_025;
}
