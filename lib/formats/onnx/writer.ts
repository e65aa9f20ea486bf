import { QgemmError, show } from '../../errors.js';
import { copyStep } from '../copy-step.js';
import { isFloat } from '../dtypes.js';
import { MAX_ONNX_BYTES } from '../limits.js';
import { GraphEdits, UniqueNames } from './edits.js';
import { encodeInitializer } from './encode.js';
import type { OnnxConstant, OnnxScope } from './graph.js';
import { storedTensor } from './tensor.js';
import { quantizedWeight } from './weight.js';
import type { OnnxSource } from './reader.js';
import { editMessage, totalLength, type Chunk } from './protobuf-edit.js';
import type { ModelSource } from '../source.js';
import {
  bytesStep,
  type ModelWriter,
  type OutputLayout,
  type OutputStep,
  type Plan,
  type WeightStep,
} from '../writer.js';

/**
 * ONNX: the model that the source was read from, with weights as DequantizeLinear of int8 initializers. A weight W becomes
 * `W_quantized`, `W_scale` (and `W_zero_point`), and a node that gives them the name W again. All other bytes of the graph
 * stay, except that external data move into the file: the output depends on no other.
 */
export const onnxWriter: ModelWriter = { format: 'onnx', schemes: ['int8'], folder: false, layout };

function layout(source: ModelSource, plan: Plan): OutputLayout {
  checkSource(source);
  const { document } = source;
  const edits = new Map<OnnxScope, GraphEdits>();
  const editsOf = (scope: OnnxScope): GraphEdits => {
    let found = edits.get(scope);
    if (found === undefined) edits.set(scope, (found = new GraphEdits(scope)));
    return found;
  };
  const names = new UniqueNames(document.scopes);
  const weightBytes = new Map<string, number>();
  const replaced = new Set<OnnxConstant>();
  for (const step of plan.packed) {
    const constant = document.constants.get(step.tensor.name)!;
    weightBytes.set(step.tensor.name, step.weight.quantized?.codes.byteLength ?? 0);
    // What is in codes already stays as it is in the graph.
    if (step.codesKept) continue;
    checkWeight(source, step, constant);
    const { initializers, nodes } = quantizedWeight(step, constant, names);
    weightBytes.set(step.tensor.name, initializers.byteLength);
    editsOf(constant.scope).replace(constant, [initializers], nodes);
    replaced.add(constant);
  }
  for (const constant of document.constants.values()) {
    if (constant.tensor.data.kind !== 'external' || replaced.has(constant)) continue;
    editsOf(constant.scope).replace(constant, inlined(source, constant), []);
  }
  const chunks = editMessage(
    { start: 0, end: document.file.size },
    [...edits.values()].flatMap((graph) => graph.edits()),
  );
  const byteLength = totalLength(chunks);
  if (byteLength > MAX_ONNX_BYTES) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `an ONNX model must have at most ${MAX_ONNX_BYTES} bytes to be written as one file, got ${byteLength}`,
    );
  }
  return { files: [{ name: 'model.onnx', steps: stepsOf(chunks, source) }], weightBytes };
}

function checkSource(source: ModelSource): asserts source is OnnxSource {
  if (source.format === 'onnx') return;
  throw new QgemmError(
    'ERR_QGEMM_ARGUMENT',
    `format 'onnx' writes into the graph that weights come from: ${show(source.path)} must be an ONNX model, got ${source.format}`,
  );
}

/** DequantizeLinear came with version 10 of ONNX's operators, its scales for each channel with version 13. */
function checkWeight({ path, document }: OnnxSource, step: WeightStep, { scope }: OnnxConstant): void {
  const { tensor, weight, rule } = step;
  const what = `ONNX tensor ${show(tensor.name)}`;
  if (weight.quantized !== undefined || !isFloat(tensor.dtype)) {
    throw new QgemmError(
      'ERR_QGEMM_ARGUMENT',
      `${what} is in 8-bit codes already, which format 'onnx' keeps: requantize must be false, or the weight excluded`,
    );
  }
  if (scope.parent === undefined && scope !== document.scopes[0]) {
    throw new QgemmError(
      'ERR_QGEMM_ARGUMENT',
      `${what} must be excluded: it is in a function, which has no initializers`,
    );
  }
  const needed = rule.granularity === 'per-channel' ? 13 : 10;
  if (document.opset < needed) {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${show(path)} must have operators of version ${needed} or later for ${rule.granularity} DequantizeLinear, got version ${document.opset}`,
    );
  }
}

/** External data as an initializer with its bytes in the file. */
function inlined({ document }: OnnxSource, { name, value, tensor }: OnnxConstant): Chunk[] {
  const { length, readInto } = storedTensor(name, tensor, document.file, document.external);
  const copy = copyStep({ name, dtype: 'U8', shape: [length], byteLength: length, readInto });
  return [
    encodeInitializer(value, tensor.dataType, tensor.dims, length),
    { ...copy, name: `external ${name}`, tensors: [] },
  ];
}

/** Chunks as steps; what lies between weights, and is quick to write, is one. */
function stepsOf(chunks: readonly Chunk[], source: OnnxSource): OutputStep[] {
  const steps: OutputStep[] = [];
  for (const chunk of chunks) {
    const name = `graph ${steps.length}`;
    if (chunk instanceof Uint8Array) steps.push(bytesStep(name, chunk));
    else if ('write' in chunk) steps.push(chunk);
    else {
      const { start, end } = chunk;
      const { file } = source.document;
      const readInto = (target: Uint8Array, position: number): void => file.readInto(target, start + position);
      const copy = copyStep({ name, dtype: 'U8', shape: [end - start], byteLength: end - start, readInto });
      steps.push({ ...copy, tensors: [] });
    }
  }
  // Tensors that stay where they are have no steps of their own.
  const done = new Set(steps.flatMap(({ tensors }) => tensors));
  const last = bytesStep('end', new Uint8Array(0));
  return [...steps, { ...last, tensors: [...source.tensors.values()].filter((tensor) => !done.has(tensor)) }];
}
