import { isFloat } from '../dtypes.js';
import type { JsonObject, JsonValue } from '../json.js';
import type { MatmulWeight, SourceTensor } from '../source.js';

type Tensors = ReadonlyMap<string, SourceTensor>;

const MATMUL = new Set(['MatMul', '_FusedMatMul']);
const CONV2D = new Set(['Conv2D', 'FusedConv2D', '_FusedConv2D']);
const PASS_THROUGH = new Set(['Identity', 'ReadVariableOp', 'Enter', 'StopGradient']);

/**
 * Matmul weights of a TensorFlow.js graph model: the constants that MatMul takes as its second operand, or a 1x1 Conv2D as
 * its filter ([1, 1, K, N]), also through Identity. A constant that is used both as it is and transposed stays as it is.
 */
export function graphMatmuls(topology: JsonObject, tensors: Tensors): Map<string, MatmulWeight> {
  const matmuls = new Map<string, MatmulWeight>();
  const conflicts = new Set<string>();
  for (const nodes of scopes(topology)) {
    for (const node of nodes.values()) {
      const use = weightUse(node, nodes, tensors);
      if (use === undefined) continue;
      const known = matmuls.get(use.name);
      if (known !== undefined && known.layout !== use.weight.layout) conflicts.add(use.name);
      // Two products with different biases share the weights only.
      else if (known !== undefined && known.bias !== use.weight.bias) matmuls.set(use.name, withoutBias(known));
      else matmuls.set(use.name, use.weight);
    }
  }
  for (const name of conflicts) matmuls.delete(name);
  return matmuls;
}

function withoutBias({ n, k, layout }: MatmulWeight): MatmulWeight {
  return { n, k, layout };
}

/** The main graph and the functions of its library; names of nodes are unique within each. */
function* scopes(topology: JsonObject): Generator<Map<string, JsonObject>> {
  yield named(topology.get('node'));
  const library = topology.get('library');
  const functions = library instanceof Map ? library.get('function') : undefined;
  if (!Array.isArray(functions)) return;
  for (const entry of functions) if (entry instanceof Map) yield named(entry.get('nodeDef'));
}

function named(nodes: JsonValue | undefined): Map<string, JsonObject> {
  const map = new Map<string, JsonObject>();
  if (!Array.isArray(nodes)) return map;
  for (const node of nodes) {
    const name = node instanceof Map ? node.get('name') : undefined;
    if (node instanceof Map && typeof name === 'string') map.set(name, node);
  }
  return map;
}

function weightUse(
  node: JsonObject,
  nodes: ReadonlyMap<string, JsonObject>,
  tensors: Tensors,
): { name: string; weight: MatmulWeight } | undefined {
  const op = node.get('op');
  const isMatmul = MATMUL.has(op as string);
  if (!isMatmul && !CONV2D.has(op as string)) return undefined;
  const inputs = dataInputs(node);
  const tensor = constant(inputs[1], nodes, tensors);
  if (tensor === undefined || !isFloat(tensor.dtype)) return undefined;
  const weight = isMatmul ? matmulWeight(tensor, flag(node, 'transpose_b')) : convWeight(tensor);
  if (weight === undefined) return undefined;
  const bias = fusesBias(node) ? constant(inputs[2], nodes, tensors) : undefined;
  const hasBias = bias !== undefined && isFloat(bias.dtype) && bias.shape.length === 1 && bias.shape[0] === weight.n;
  return { name: tensor.name, weight: hasBias ? { ...weight, bias: bias.name } : weight };
}

function matmulWeight({ shape }: SourceTensor, transposed: boolean): MatmulWeight | undefined {
  const [rows, columns] = shape;
  if (shape.length !== 2 || rows === undefined || columns === undefined) return undefined;
  return transposed ? { n: rows, k: columns, layout: 'nk' } : { n: columns, k: rows, layout: 'kn' };
}

function convWeight({ shape }: SourceTensor): MatmulWeight | undefined {
  const [height, width, k, n] = shape;
  if (shape.length !== 4 || height !== 1 || width !== 1 || k === undefined || n === undefined) return undefined;
  return { n, k, layout: 'kn' };
}

/** Names of the nodes that a node takes data from: `name`, `name:1`; `^name` only orders execution. */
function dataInputs(node: JsonObject): string[] {
  const inputs = node.get('input');
  if (!Array.isArray(inputs)) return [];
  return inputs
    .filter((input) => typeof input === 'string' && !input.startsWith('^'))
    .map((input) => (input as string).split(':')[0]!);
}

/** The stored tensor behind an input, looking through nodes that pass their input on. */
function constant(
  input: string | undefined,
  nodes: ReadonlyMap<string, JsonObject>,
  tensors: Tensors,
): SourceTensor | undefined {
  const seen = new Set<string>();
  while (input !== undefined && !seen.has(input)) {
    seen.add(input);
    const node = nodes.get(input);
    const op = node?.get('op');
    if (op === 'Const') return tensors.get(input);
    if (node === undefined || !PASS_THROUGH.has(op as string)) return undefined;
    input = dataInputs(node)[0];
  }
  return undefined;
}

function attribute(node: JsonObject, name: string): JsonObject | undefined {
  const attributes = node.get('attr');
  const value = attributes instanceof Map ? attributes.get(name) : undefined;
  return value instanceof Map ? value : undefined;
}

function flag(node: JsonObject, name: string): boolean {
  return attribute(node, name)?.get('b') === true;
}

/** Whether a fused node's first fused operation is BiasAdd. Names are base64, or arrays of character codes. */
function fusesBias(node: JsonObject): boolean {
  const list = attribute(node, 'fused_ops')?.get('list');
  const names = list instanceof Map ? list.get('s') : undefined;
  const first = Array.isArray(names) ? names[0] : undefined;
  if (typeof first === 'string') return Buffer.from(first, 'base64').toString('latin1') === 'BiasAdd';
  return Array.isArray(first) && Buffer.from(first as number[]).toString('latin1') === 'BiasAdd';
}
