import { setImmediate } from 'node:timers/promises';
import { QgemmError, show } from '../errors.js';
import { native } from '../native.js';
import { resolveCodeRange, type CodeRange } from '../quantization-range.js';
import { byteBlocks } from './byte-blocks.js';
import { BLOCK_ELEMENTS } from './limits.js';
import type { SourceTensor } from './source.js';
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

/** The values of a weight, block by block: memory is bounded whatever its size. `strip` as in {@link byteBlocks}. */
export async function* floatBlocks(
  { tensor, weight }: Pick<WeightStep, 'tensor' | 'weight'>,
  strip?: number,
): AsyncGenerator<FloatBlock> {
  let values = new Float32Array(0);
  for await (const { row, rows, bytes } of byteBlocks(tensor, weight, strip)) {
    const length = rows * weight.k;
    if (tensor.dtype === 'F32') {
      await letOthersRun(length);
      yield { row, rows, values: new Float32Array(bytes.buffer, 0, length) };
      continue;
    }
    if (values.length < length) values = allocateFloat32(tensor.name, length);
    await letOthersRun(length);
    native.toFloat32(bytes, tensor.dtype, values.subarray(0, length));
    await letOthersRun(length);
    yield { row, rows, values: values.subarray(0, length) };
  }
}

/**
 * The codes of a weight, block by block: those of its file where they are kept, else made by the rule of the step.
 *
 * @param observe called with the values and the codes that were made from them; not for codes that are kept
 */
export async function* codeBlocks(
  step: WeightStep,
  observe?: (values: FloatBlock, codes: CodeBlock) => void,
): AsyncGenerator<CodeBlock> {
  if (step.codesKept) {
    yield* keptBlocks(step);
    return;
  }
  const range = codeRange(step);
  const fixed = step.rule.granularity === 'per-tensor' ? await tensorQParams(step, range) : undefined;
  let buffer = new Int8Array(0);
  for await (const block of floatBlocks(step)) {
    if (buffer.length < block.values.length) buffer = new Int8Array(block.values.length);
    const codes = await quantizeBlock(step, block, range, fixed, buffer.subarray(0, block.values.length));
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
async function tensorQParams(step: WeightStep, range: CodeRange): Promise<QParam> {
  const ends = new Float32Array(2);
  for await (const { values } of floatBlocks(step)) {
    if (!native.extendRange(values, ends) && step.rule.rejectNonFinite) throw notFinite(step);
    await setImmediate();
  }
  const [scales, zeroPoints] = [new Float32Array(1), new Int32Array(1)];
  native.chooseQParams(ends, 1, 1, 2, range, false, scales, zeroPoints);
  return { scale: scales[0]!, zeroPoint: zeroPoints[0]! };
}

async function quantizeBlock(
  step: WeightStep,
  block: FloatBlock,
  range: CodeRange,
  fixed: QParam | undefined,
  codes: Int8Array<ArrayBuffer>,
): Promise<CodeBlock> {
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
  await letOthersRun(values.length);
  const { divide, clampMin, clampMax } = range;
  native.quantize(values, outer, rows, inner, scales, zeroPoints, divide, clampMin, clampMax, false, codes);
  await letOthersRun(values.length);
  return { row, rows, codes, scales, zeroPoints };
}

/** Between the steps of a block that take milliseconds each. */
async function letOthersRun(elements: number): Promise<void> {
  if (elements > BLOCK_ELEMENTS) await setImmediate();
}

async function* keptBlocks({ tensor, weight }: WeightStep): AsyncGenerator<CodeBlock> {
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
  for await (const { row, rows, bytes } of byteBlocks(source, weight)) {
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

/** The error for weights that hold NaN or an infinity where their rule refuses them. */
export function notFinite({ tensor }: WeightStep): QgemmError {
  return new QgemmError(
    'ERR_QGEMM_RANGE',
    `tensor ${show(tensor.name)} must hold finite values, but has NaN or an infinity (nonFinite: 'clip', --non-finite clip on the command line, accepts them)`,
  );
}
