import { QgemmError, show } from '../errors.js';
import { native } from '../native.js';
import { resolveCodeRange, type CodeRange } from '../quantization-range.js';
import { dtypeBits } from './dtypes.js';
import { BLOCK_ELEMENTS, CHUNK_BYTES, TRANSPOSED_BLOCK_ELEMENTS } from './limits.js';
import type { MatmulWeight, SourceTensor } from './source.js';
import { allocateFloat32 } from './values.js';
import type { WeightStep } from './writer.js';

/** Some rows of W (output channels). The arrays are overwritten by the next block. */
export interface FloatBlock {
  readonly row: number;
  readonly rows: number;
  /** [rows, K], or [K, rows] where the weight's layout is `kn`. */
  readonly values: Float32Array<ArrayBuffer>;
}

export interface CodeBlock {
  readonly row: number;
  readonly rows: number;
  /** [rows, K], or [K, rows] where the weight's layout is `kn`. uint8 only where the source's own codes are. */
  readonly codes: Int8Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
  /** One per row, whatever the granularity. */
  readonly scales: Float32Array<ArrayBuffer>;
  /** One per row, in the range of the codes. */
  readonly zeroPoints: Int32Array<ArrayBuffer>;
}

/** Blocks begin at whole panels of the packed format. */
export const ROW_MULTIPLE = 32;

function rowsPerBlock({ n, k, layout }: MatmulWeight): number {
  const elements = layout === 'nk' ? BLOCK_ELEMENTS : TRANSPOSED_BLOCK_ELEMENTS;
  const rows = Math.floor(elements / k / ROW_MULTIPLE) * ROW_MULTIPLE;
  return Math.min(n, Math.max(ROW_MULTIPLE, rows));
}

/** The values of a weight, block by block: memory is bounded whatever its size. */
export function* floatBlocks({ tensor, weight }: Pick<WeightStep, 'tensor' | 'weight'>): Generator<FloatBlock> {
  const most = rowsPerBlock(weight);
  const buffer = allocateFloat32(tensor.name, most * weight.k);
  for (let row = 0; row < weight.n; row += most) {
    const rows = Math.min(most, weight.n - row);
    const values = buffer.subarray(0, rows * weight.k);
    readFloats(tensor, weight, row, rows, values);
    yield { row, rows, values };
  }
}

/**
 * The codes of a weight, block by block: those of its file where they are kept, else made by the rule of the step.
 *
 * @param observe called with the values and the codes that were made from them; not for codes that are kept
 */
export function* codeBlocks(
  step: WeightStep,
  observe?: (values: FloatBlock, codes: CodeBlock) => void,
): Generator<CodeBlock> {
  if (step.codesKept) {
    yield* keptBlocks(step);
    return;
  }
  const range = codeRange(step);
  const fixed = step.rule.granularity === 'per-tensor' ? tensorQParams(step, range) : undefined;
  const buffer = new Int8Array(rowsPerBlock(step.weight) * step.weight.k);
  for (const block of floatBlocks(step)) {
    const codes = quantizeBlock(step, block, range, fixed, buffer.subarray(0, block.values.length));
    observe?.(block, codes);
    yield codes;
  }
}

function codeRange({ rule }: WeightStep): CodeRange {
  const { numerics, symmetric } = rule;
  if (numerics === 'ggml') throw new Error('ggml numerics are those of blocks, not of int8 weights');
  // compressed-tensors chooses scales as PyTorch's observers do (amax / 127.5), but divides by them.
  if (numerics === 'compressed-tensors')
    return { ...resolveCodeRange('int8', { numerics: 'torch', symmetric }), divide: true };
  return resolveCodeRange('int8', { numerics, symmetric });
}

interface QParam {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Scale and zero point of the whole weight: its range is read first, block by block. */
function tensorQParams(step: WeightStep, range: CodeRange): QParam {
  const ends = new Float32Array(2);
  for (const { values } of floatBlocks(step)) {
    if (!native.extendRange(values, ends) && step.rule.rejectNonFinite) throw notFinite(step);
  }
  const [scales, zeroPoints] = [new Float32Array(1), new Int32Array(1)];
  native.chooseQParams(ends, 1, 1, 2, range, false, scales, zeroPoints);
  return { scale: scales[0]!, zeroPoint: zeroPoints[0]! };
}

function quantizeBlock(
  step: WeightStep,
  block: FloatBlock,
  range: CodeRange,
  fixed: QParam | undefined,
  codes: Int8Array<ArrayBuffer>,
): CodeBlock {
  const { weight, rule } = step;
  const { row, rows, values } = block;
  const scales = new Float32Array(rows);
  const zeroPoints = new Int32Array(rows);
  const [outer, inner] = weight.layout === 'nk' ? [1, weight.k] : [weight.k, 1];
  if (fixed !== undefined) {
    scales.fill(fixed.scale);
    zeroPoints.fill(fixed.zeroPoint);
  } else if (native.chooseQParams(values, outer, rows, inner, range, rule.rejectNonFinite, scales, zeroPoints) >= 0) {
    throw notFinite(step);
  }
  const { divide, clampMin, clampMax } = range;
  native.quantize(values, outer, rows, inner, scales, zeroPoints, divide, clampMin, clampMax, false, codes);
  return { row, rows, codes, scales, zeroPoints };
}

function* keptBlocks({ tensor, weight }: WeightStep): Generator<CodeBlock> {
  const { codes: source, granularity, readScales, readZeroPoints } = weight.quantized!;
  const [allScales, allZeroPoints] = [readScales(), readZeroPoints()];
  const expected = granularity === 'per-tensor' ? 1 : weight.n;
  checkCount(tensor, 'scales', allScales, expected);
  if (allZeroPoints !== null) checkCount(tensor, 'zero points', allZeroPoints, expected);
  if (!native.extendRange(allScales, new Float32Array(2))) {
    throw new QgemmError(
      'ERR_QGEMM_RANGE',
      `tensor ${show(tensor.name)} must have finite scales, but has NaN or an infinity`,
    );
  }
  const most = rowsPerBlock(weight);
  const buffer = new Uint8Array(most * weight.k);
  for (let row = 0; row < weight.n; row += most) {
    const rows = Math.min(most, weight.n - row);
    const bytes = buffer.subarray(0, rows * weight.k);
    readBlock(source, weight, row, rows, bytes);
    const codes = source.dtype === 'I8' ? new Int8Array(bytes.buffer, 0, bytes.length) : bytes;
    const [scales, zeroPoints] = [new Float32Array(rows), new Int32Array(rows)];
    if (granularity === 'per-tensor') {
      scales.fill(allScales[0]!);
      zeroPoints.fill(allZeroPoints?.[0] ?? 0);
    } else {
      scales.set(allScales.subarray(row, row + rows));
      if (allZeroPoints !== null) zeroPoints.set(allZeroPoints.subarray(row, row + rows));
    }
    yield { row, rows, codes, scales, zeroPoints };
  }
}

function checkCount({ name }: SourceTensor, what: string, values: { length: number }, expected: number): void {
  if (values.length === expected) return;
  throw new QgemmError(
    'ERR_QGEMM_FORMAT',
    `tensor ${show(name)} must have ${expected} ${what}, but has ${values.length}`,
  );
}

function readFloats(
  tensor: SourceTensor,
  weight: MatmulWeight,
  row: number,
  rows: number,
  out: Float32Array<ArrayBuffer>,
): void {
  if (tensor.dtype === 'F32') {
    readBlock(tensor, weight, row, rows, new Uint8Array(out.buffer, out.byteOffset, out.byteLength));
    return;
  }
  const bytes = new Uint8Array(out.length * 2);
  readBlock(tensor, weight, row, rows, bytes);
  native.toFloat32(bytes, tensor.dtype, out);
}

/** The bytes of some rows of W. Whole rows lie together in `nk`; in `kn`, a piece of every line of the file does. */
function readBlock(
  tensor: SourceTensor,
  { n, k, layout }: MatmulWeight,
  row: number,
  rows: number,
  out: Uint8Array,
): void {
  const size = dtypeBits(tensor.dtype) / 8;
  if (layout === 'nk' || rows === n) {
    // Rows are a multiple of 32 or the last, so that begin and length are multiples of 8 as readInto asks.
    readPieces(tensor, layout === 'nk' ? row * k * size : 0, out);
    return;
  }
  const width = rows * size;
  const line = new Uint8Array(width + 16);
  for (let i = 0; i < k; ++i) {
    const begin = (i * n + row) * size;
    const first = begin - (begin % 8);
    const end = Math.min(Math.ceil((begin + width) / 8) * 8, tensor.byteLength);
    tensor.readInto(line.subarray(0, end - first), first);
    out.set(line.subarray(begin - first, begin - first + width), i * width);
  }
}

function readPieces(tensor: SourceTensor, position: number, out: Uint8Array): void {
  for (let done = 0; done < out.length; done += CHUNK_BYTES) {
    tensor.readInto(out.subarray(done, done + CHUNK_BYTES), position + done);
  }
}

/** The error for weights that hold NaN or an infinity where their rule refuses them. */
export function notFinite({ tensor }: WeightStep): QgemmError {
  return new QgemmError(
    'ERR_QGEMM_RANGE',
    `tensor ${show(tensor.name)} must hold finite values, but has NaN or an infinity (nonFinite: 'clip', --non-finite clip on the command line, accepts them)`,
  );
}
