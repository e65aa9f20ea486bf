import { native } from '../../native.js';
import { encodeInitializer, encodeNode, ONNX_FLOAT, ONNX_INT8 } from './encode.js';
import type { UniqueNames } from './edits.js';
import type { OnnxConstant } from './graph.js';
import { codeBlocks } from '../weight-blocks.js';
import type { OutputSink, OutputStep, WeightStep } from '../writer.js';

/** A weight as DequantizeLinear of int8 initializers. */
export interface QuantizedWeight {
  /** Writes the initializers: codes, scales, and zero points where there are any. */
  readonly initializers: OutputStep;
  /** Nodes that make of them a value with the name of the weight, in its type. */
  readonly nodes: readonly Uint8Array[];
}

/** Lays out a weight W as `W_quantized`, `W_scale`, `W_zero_point` and their DequantizeLinear. */
export function quantizedWeight(step: WeightStep, constant: OnnxConstant, names: UniqueNames): QuantizedWeight {
  const { tensor, weight, rule } = step;
  const { value } = constant;
  const perChannel = rule.granularity === 'per-channel';
  const count = perChannel ? weight.n : 1;
  const dims = perChannel ? [count] : [];
  const name = (part: string): string => names.take(`${value}_${part}`);
  const [codes, scale] = [name('quantized'), name('scale')];
  const headers: Headers = {
    codes: encodeInitializer(codes, ONNX_INT8, tensor.shape, weight.n * weight.k),
    scales: encodeInitializer(scale, ONNX_FLOAT, dims, 4 * count),
  };
  const inputs = [codes, scale];
  let byteLength = headers.codes.length + weight.n * weight.k + headers.scales.length + 4 * count;
  if (!rule.symmetric) {
    inputs.push(name('zero_point'));
    headers.zeroPoints = encodeInitializer(inputs[2]!, ONNX_INT8, dims, count);
    byteLength += headers.zeroPoints.length + count;
  }
  const initializers: OutputStep = {
    name: `weight ${tensor.name}`,
    byteLength,
    tensors: [tensor],
    write: (sink) => writeInitializers(step, headers, count, sink),
  };
  // DequantizeLinear gives the type of its scales, which are float32.
  const isFloat32 = tensor.dtype === 'F32';
  const output = isFloat32 ? value : name('dequantized');
  const axis = weight.layout === 'nk' ? 0 : 1;
  const nodes = [encodeNode('DequantizeLinear', inputs, output, perChannel ? ['axis', axis] : undefined)];
  if (!isFloat32) nodes.push(encodeNode('Cast', [output], value, ['to', constant.tensor.dataType]));
  return { initializers, nodes };
}

interface Headers {
  readonly codes: Uint8Array;
  readonly scales: Uint8Array;
  zeroPoints?: Uint8Array;
}

async function writeInitializers(step: WeightStep, headers: Headers, count: number, sink: OutputSink): Promise<void> {
  const { n } = step.weight;
  const [scales, zeroPoints] = [new Float32Array(n), new Int8Array(n)];
  await sink.write(headers.codes);
  for await (const bytes of codesInOrder(step, scales, zeroPoints)) await sink.write(bytes);
  await sink.write(headers.scales);
  await sink.write(new Uint8Array(scales.buffer, 0, 4 * count));
  if (headers.zeroPoints === undefined) return;
  await sink.write(headers.zeroPoints);
  await sink.write(new Uint8Array(zeroPoints.buffer, 0, count));
}

/**
 * The codes as the weight lies in its file, and on the way the scale and zero point of each channel. Blocks of channels of a
 * matrix [K, N] are columns, which are put together first: that takes N * K bytes.
 */
async function* codesInOrder(
  step: WeightStep,
  scales: Float32Array,
  zeroPoints: Int8Array,
): AsyncGenerator<Uint8Array> {
  const { n, k, layout } = step.weight;
  let whole: Uint8Array | undefined;
  for await (const block of codeBlocks(step)) {
    const { row, rows } = block;
    const codes = new Uint8Array(block.codes.buffer, block.codes.byteOffset, block.codes.length);
    scales.set(block.scales, row);
    zeroPoints.set(block.zeroPoints, row);
    if (layout === 'nk' || rows === n) {
      yield codes;
    } else {
      whole ??= new Uint8Array(n * k);
      native.stridedCopy(codes, whole.subarray(row), 1, Float64Array.of(k, rows, n, rows, 1, 1));
    }
  }
  if (whole !== undefined) yield whole;
}
