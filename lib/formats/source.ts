import type { Dtype } from './dtypes.js';

/** One tensor of a model file. Nothing is read before `readInto` is called. */
export interface SourceTensor {
  readonly name: string;
  /** In safetensors spelling, whatever the file's own is. */
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Bytes of the values as `dtype`, little-endian, row-major. */
  readonly byteLength: number;
  /** Present where the file holds the values in a form that is no dtype: its name there, such as `Q4_K`, and its bytes. */
  readonly stored?: { readonly type: string; readonly byteLength: number };
  /**
   * Fills `target` with the tensor's bytes from `position` on. Both position and length are multiples of 8, or reach to the
   * tensor's end.
   */
  readInto(target: Uint8Array, position: number): void;
}

/**
 * The 8-bit codes of a weight that its file holds quantized already: w = (code - zeroPoint) * scale. The conversion keeps
 * them as they are; nothing is rounded a second time.
 */
export interface QuantizedCodes {
  /** The codes, dtype I8 or U8, in the shape and layout of the weight. */
  readonly codes: SourceTensor;
  /** One scale, or N of them. Reads the file. */
  readScales(): Float32Array;
  /** As many as scales, within the dtype of the codes; null where all are 0. Reads the file. */
  readZeroPoints(): Int32Array | null;
  readonly granularity: 'per-channel' | 'per-tensor';
}

/** How a matrix is multiplied by: y[M, N] = x[M, K] . W, and how W lies in its file. */
export interface MatmulWeight {
  readonly n: number;
  readonly k: number;
  /** `nk`: row-major [N, K], as PyTorch's Linear stores it; `kn`: [K, N], as TensorFlow does. */
  readonly layout: 'nk' | 'kn';
  /** Name of the 1-d tensor of N values that is added to the product, where the file says so. */
  readonly bias?: string;
  /**
   * Present where the file holds the weight in 8 bits. The tensor of the weight's name then yields its dequantized values,
   * dtype F32, for whoever wants another scheme.
   */
  readonly quantized?: QuantizedCodes;
}

/** What a format's reader makes of a path: named tensors, and which of them are matmul weights. */
export interface ModelSource {
  /** Such as `safetensors` or `tfjs-graph`. */
  readonly format: string;
  /** The file or folder as the caller gave it. */
  readonly path: string;
  /** All files that belong to the model, absolute. */
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, SourceTensor>;
  /** Text that the file carries about itself. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The weights that this format's own rule finds. */
  readonly matmuls: ReadonlyMap<string, MatmulWeight>;
  /** How any tensor would be multiplied by when the user names it; undefined when it cannot be a matrix. */
  asMatmul(name: string): MatmulWeight | undefined;
  close(): void;
}

/** Reads a whole tensor. */
export function readTensor(tensor: SourceTensor): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(tensor.byteLength);
  tensor.readInto(bytes, 0);
  return bytes;
}
