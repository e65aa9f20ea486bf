import type { QgemmErrorCode } from './errors.js';
import type { CodeRange } from './quantization-range.js';

/**
 * What the addon offers to this package. Nothing here is public. TypeScript checks arguments and words the errors; the
 * addon re-checks what memory safety needs (type, attached buffer, byte length) and throws errors with the same codes.
 * Numbers that stand for enums are those of native/core (Scheme, Granularity, Activation, RowRange).
 */
export interface NativeAddon
  extends
    NativeErrors,
    NativeCpu,
    NativeQuantize,
    NativeWeightsApi,
    NativeTensorTools,
    NativeErrorStats,
    NativeGguf,
    NativeWireData,
    NativeByteTools {}

export interface NativeErrors {
  /** The class of all errors that the addon throws from now on in this JavaScript thread: called as (code, message). */
  setErrorClass(errorClass: new (code: QgemmErrorCode, message: string) => Error): void;
}

export interface NativeCpu {
  cpuInfo(): {
    isa: string;
    features: string[];
    kernels: string[];
    numThreads: number;
    model: string;
    caches: { l1d: number; l2: number; l3: number };
  };
  setNumThreads(threads: number): void;
}

/** Vectorised quantization over whole tensors, on the pool. Shapes are folded to [outer, axis, inner] by the caller. */
export interface NativeQuantize {
  /**
   * Fills scales[axis] and zeroPoints[axis]. Returns -1, or with `rejectNonFinite` the index of the first NaN or infinity,
   * and nothing is written then.
   */
  chooseQParams(
    x: Float32Array,
    outer: number,
    axis: number,
    inner: number,
    range: CodeRange,
    rejectNonFinite: boolean,
    scales: Float32Array,
    zeroPoints: Int32Array,
  ): number;
  /** Fills q, clamped to [min, max]; `divide` by the scale instead of multiplying by its reciprocal. Returns as above. */
  quantize(
    x: Float32Array,
    outer: number,
    axis: number,
    inner: number,
    scales: Float32Array,
    zeroPoints: Int32Array,
    divide: boolean,
    min: number,
    max: number,
    rejectNonFinite: boolean,
    q: Int8Array | Uint8Array,
  ): number;
  dequantize(
    q: Int8Array | Uint8Array,
    outer: number,
    axis: number,
    inner: number,
    scales: Float32Array,
    zeroPoints: Int32Array,
    x: Float32Array,
  ): void;
  matmulInteger(
    a: Int8Array | Uint8Array,
    b: Int8Array | Uint8Array,
    m: number,
    n: number,
    k: number,
    aZeroPoint: number,
    bZeroPoint: number,
    out: Int32Array,
  ): void;
  /** out = scale * a . b per item of the batch, a [batch, m, k], b [batch, k, n] or with `transposeB` [batch, n, k]. */
  matmulQuantized(
    a: Float32Array,
    b: Float32Array,
    batch: number,
    m: number,
    n: number,
    k: number,
    transposeB: boolean,
    scale: number,
    out: Float32Array,
  ): void;
  /** As linearForwardAllAsync: copies a and b, and returns an id for `linearCancel`. */
  matmulQuantizedAsync(
    a: Float32Array,
    b: Float32Array,
    batch: number,
    m: number,
    n: number,
    k: number,
    transposeB: boolean,
    scale: number,
    result: Float32Array,
    done: (error: Error | null) => void,
  ): number;
}

/** Opaque: a type-tagged native object that holds one reference to packed weights. */
export interface NativeWeights {
  readonly __weights: never;
}
/** Opaque: weights, bias and activation, ready to be multiplied by. */
export interface NativeLinear {
  readonly __linear: never;
}
/** Opaque: a read-only file mapping (or a private copy of a file). */
export interface NativeMapping {
  readonly __mapping: never;
}

/** Scale and zero point of a tensor of int8 (`signed`) or uint8 codes. */
export interface NativeCodeParameters {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly signed: boolean;
}
/** Where results go: float32, or codes of the dtype that linearCreate was told. */
export type NativeOutput = Float32Array | Int8Array | Uint8Array;

export interface NativeWeightsInfo {
  scheme: number;
  n: number;
  k: number;
  byteLength: number;
  symmetric: boolean;
  activations: number;
}

/** Where the arrays of one packed weight lie in a file, in bytes from its start; `undefined` where absent. */
export interface NativePackedOffsets {
  panels: number;
  scales?: number;
  columnSums?: number;
  zeroPoints?: number;
}

export interface NativeWeightsApi {
  /** `transposed`: data is stored [K, N]. Throws OUT_OF_MEMORY, and RANGE when `rejectNonFinite` finds NaN or Inf. */
  packFloat32(
    data: Float32Array,
    n: number,
    k: number,
    transposed: boolean,
    scheme: number,
    granularity: number,
    symmetric: boolean,
    activations: number,
    rejectNonFinite: boolean,
  ): NativeWeights;
  packInt8(
    codes: Int8Array | Uint8Array,
    n: number,
    k: number,
    transposed: boolean,
    scales: Float32Array,
    zeroPoints: Int32Array | null,
    granularity: number,
    activations: number,
  ): NativeWeights;
  weightsInfo(weights: NativeWeights): NativeWeightsInfo;
  weightsDispose(weights: NativeWeights): void;
  /** Makes the weights known to all threads of this process under `token`, while somebody holds them. */
  weightsRegister(weights: NativeWeights, token: string): void;
  /** The weights under a token, as a handle of this thread; undefined when there are none (any more). */
  weightsAttach(token: string): NativeWeights | undefined;
  /** Copies of the packed arrays, padded, as they go into a file. */
  weightsExport(weights: NativeWeights): {
    panels: Uint8Array;
    scales: Float32Array | null;
    columnSums: Int32Array | null;
    zeroPoints: Int32Array | null;
  };
  /**
   * The int8 panels and column sums of n rows of codes, padded as in a file: panels has padded N * padded K bytes,
   * columnSums padded N elements. `transposed`: codes are stored [K, N].
   */
  packCodes(
    codes: Int8Array | Uint8Array,
    n: number,
    k: number,
    transposed: boolean,
    panels: Uint8Array,
    columnSums: Int32Array,
  ): void;
  /**
   * W[n, k] row-major as float32 from whole panels as they lie in a file. int8 has scales, and perhaps zero points, of n
   * values; float32 has null.
   */
  unpackRows(
    scheme: number,
    n: number,
    k: number,
    panels: Uint8Array,
    scales: Float32Array | null,
    zeroPoints: Int32Array | null,
    out: Float32Array,
  ): void;
  /** Widens ends = [lo, hi], lo <= 0 <= hi, by the finite values of x. False when x holds NaN or an infinity. */
  extendRange(x: Float32Array, ends: Float32Array): boolean;
  /** W[N, K] row-major as float32. */
  weightsToFloat32(weights: NativeWeights, out: Float32Array): void;

  mapFile(path: string, map: boolean): NativeMapping;
  mappingSize(mapping: NativeMapping): number;
  /** A private copy of bytes of the mapping. */
  mappingRead(mapping: NativeMapping, offset: number, length: number): Uint8Array;
  mappingClose(mapping: NativeMapping): void;
  weightsFromMapping(
    mapping: NativeMapping,
    scheme: number,
    n: number,
    k: number,
    activations: number,
    offsets: NativePackedOffsets,
  ): NativeWeights;

  /** `bias` has N values and is copied. `rejectNonFinite`: forward throws RANGE when x holds NaN or an infinity. */
  linearCreate(
    weights: NativeWeights,
    bias: Float32Array | null,
    activation: number,
    rejectNonFinite: boolean,
    input: NativeCodeParameters | null,
    output: NativeCodeParameters | null,
  ): NativeLinear;
  linearDispose(linear: NativeLinear): void;
  linearForward(linear: NativeLinear, x: Float32Array, m: number, out: NativeOutput): void;
  /**
   * Layers that share the quantized rows of one input: codes where `scales` is not null. `residual` goes with one layer.
   */
  linearForwardAll(
    linears: readonly NativeLinear[],
    x: Float32Array | Int8Array | Uint8Array,
    scales: Float32Array | null,
    zeroPoints: Int32Array | null,
    m: number,
    outs: readonly NativeOutput[],
    residual: Float32Array | null,
  ): void;
  /**
   * As linearForwardAll, but snapshots x and the residual and queues the multiplication into `results`, which must not be
   * reachable by the user before `done` is called, on this thread, from the event loop (with null also when it was
   * cancelled). Returns an id for `linearCancel`, or 0 when the work was so small that it is complete already: `done` is
   * then not called.
   */
  linearForwardAllAsync(
    linears: readonly NativeLinear[],
    x: Float32Array | Int8Array | Uint8Array,
    scales: Float32Array | null,
    zeroPoints: Int32Array | null,
    m: number,
    results: readonly NativeOutput[],
    residual: Float32Array | null,
    done: (error: Error | null) => void,
  ): number;
  linearCancel(id: number): void;
}

/** Tensor data in bulk, for the converter: bytes in, numbers out; no loops over data in TypeScript. */
export interface NativeTensorTools {
  /** Little-endian elements of `dtype` ('F32' | 'F16' | 'BF16') to float32. Input needs no alignment. */
  toFloat32(bytes: Uint8Array, dtype: string, out: Float32Array): void;
  /** TensorFlow.js quantized weights: codes[i] * scale + min in float64, rounded to the type of `out`. */
  affineDequantize(codes: Uint8Array | Uint16Array, scale: number, min: number, out: Float32Array | Int32Array): void;
}

/** The error of an approximation, in bulk. */
export interface NativeErrorStats {
  /** Compares two tensors: sums in float64. sqnr in dB (Infinity when equal), cosine, largest absolute difference. */
  compareFloat32(original: Float32Array, approximation: Float32Array): NativeComparison;
  /** Adds pairs of values to `stats`: a struct of the core (ErrorStats) as doubles, which lib/error-stats.ts reads. */
  accumulateErrors(stats: Float64Array, original: Float32Array, approximation: Float32Array): void;
  /** The figures of all pairs that `stats` has seen. */
  comparisonOf(stats: Float64Array): NativeComparison;
}
export interface NativeComparison {
  sqnr: number;
  cosine: number;
  maxError: number;
}

/** Block formats of GGUF (NativeGguf), for its reader and writer. */
export interface NativeGguf {
  /**
   * Decodes values of consecutive blocks of `type` (such as 'Q4_K') exactly as ggml does. Starts with value `first` of
   * the blocks and fills `out` with little-endian float32. `blocks` holds exactly the blocks up to the last one needed.
   */
  ggufDequantize(type: string, blocks: Uint8Array, first: number, out: Uint8Array): void;
  /**
   * Quantizes to Q8_0: x.length is a multiple of 32, `out` has 34 bytes for each 32. False, with `out` unspecified, when x
   * holds NaN, an infinity, or a value whose scale is beyond float16; with `clip` these take the nearest codes, NaN 0.
   */
  ggufQuantizeQ8(x: Float32Array, clip: boolean, out: Uint8Array): boolean;
  /**
   * Rounds to float16, half to even: 2 bytes per value. False when x holds NaN or what float16 has only as infinity; with
   * `clip` these become 0 and the largest number.
   */
  toFloat16(x: Float32Array, clip: boolean, out: Uint8Array): boolean;
}

/** Values as files store them compactly. */
export interface NativeWireData {
  /**
   * Protobuf varints to little-endian elements of 1, 2, 4 or 8 bytes. Stops when `out` is full or before a varint that
   * `bytes` cuts off: `consumed` bytes made `decoded` elements; `malformed` where the next varint has more than 10 bytes.
   */
  decodeVarints(
    bytes: Uint8Array,
    elementBytes: number,
    out: Uint8Array,
  ): { consumed: number; decoded: number; malformed: boolean };
  /** One byte for each nibble, the low one of each byte first; -8..7 where `signed`. */
  unpackNibbles(packed: Uint8Array, signed: boolean, out: Uint8Array): void;
}

/** Bytes in bulk, for the readers of files. */
export interface NativeByteTools {
  /**
   * target[sum i_d * targetStride_d] = source[sum i_d * sourceStride_d] for all indices, in elements of 1, 2, 4 or 8 bytes.
   * `dims` has size, source stride and target stride of each dimension. Throws SHAPE when it leaves an array.
   */
  stridedCopy(source: Uint8Array, target: Uint8Array, elementBytes: number, dims: Float64Array): void;
  /** CRC-32 as zip has it; `seed` is that of the bytes before these, 0 at the start. */
  crc32(bytes: Uint8Array, seed: number): number;
}
