import { isFloat } from '../dtypes.js';
import type { OnnxConstant, OnnxScope } from './graph.js';
import type { OnnxNode } from './proto.js';
import { quantizedCodes } from './quantized.js';
import { weightUse, type OnnxUse } from './uses.js';
import type { MatmulWeight, SourceTensor } from '../source.js';

type Tensors = ReadonlyMap<string, SourceTensor>;

export interface OnnxMatmuls {
  readonly matmuls: Map<string, MatmulWeight>;
  /** Names of weights in codes that differ from those of their codes. */
  readonly renamed: Map<string, string>;
  /** Scales and zero points that are nothing but parts of weights in `matmuls`. */
  readonly absorbed: Set<string>;
}

interface Candidate {
  readonly constant: OnnxConstant;
  readonly weight: MatmulWeight;
  readonly parts: readonly OnnxConstant[];
  readonly nodes: Set<OnnxNode>;
}

/**
 * Matmul weights of an ONNX model: constants that a node multiplies by, and no node uses for anything else. A constant that
 * is used both as it is and transposed, or with different scales, stays as it is.
 */
export function onnxMatmuls(scopes: readonly OnnxScope[], tensors: Tensors): OnnxMatmuls {
  const candidates = new Map<OnnxConstant, Candidate | undefined>();
  for (const scope of scopes) {
    for (const node of scope.graph.nodes) {
      const use = weightUse(node, scope);
      if (use === undefined) continue;
      const { constant } = use.operand;
      const found = candidateOf(use, tensors);
      const known = candidates.has(constant) ? candidates.get(constant) : found;
      candidates.set(constant, found && known && merged(known, found));
    }
  }
  const matmuls = new Map<string, MatmulWeight>();
  const renamed = new Map<string, string>();
  const parts = new Set<OnnxConstant>();
  const nodes = new Set<OnnxNode>();
  for (const candidate of candidates.values()) {
    if (candidate === undefined || !isOnlyMultiplied(candidate)) continue;
    const { name } = candidate.constant;
    const valueName = nameOfValues(candidate);
    const isFree = valueName !== name && !tensors.has(valueName) && !matmuls.has(valueName);
    if (isFree) renamed.set(name, valueName);
    matmuls.set(isFree ? valueName : name, candidate.weight);
    for (const part of candidate.parts) parts.add(part);
    for (const node of candidate.nodes) nodes.add(node);
  }
  const absorbed = new Set<string>();
  for (const part of parts) {
    if (isUsedOnlyBy(part.scope, part.value, nodes)) absorbed.add(part.name);
  }
  return { matmuls, renamed, absorbed };
}

const CODES_SUFFIX = '_quantized';

/**
 * The name of the weight that codes stand for: `w` where they are `w_quantized` and a node on the way to the product gives
 * `w`, as in models that `--format onnx` writes. Else the name of the codes.
 */
function nameOfValues({ constant: { name, value }, weight, nodes }: Candidate): string {
  if (weight.quantized === undefined || !value.endsWith(CODES_SUFFIX)) return name;
  const output = value.slice(0, -CODES_SUFFIX.length);
  return [...nodes].some(({ outputs }) => outputs.includes(output)) ? name.slice(0, -CODES_SUFFIX.length) : name;
}

function candidateOf(use: OnnxUse, tensors: Tensors): Candidate | undefined {
  const { constant, quantization } = use.operand;
  const tensor = tensors.get(constant.name);
  const [rows, columns] = tensor?.shape ?? [];
  if (tensor === undefined || rows === undefined || columns === undefined) return undefined;
  const [n, k] = use.layout === 'nk' ? [rows, columns] : [columns, rows];
  const { layout, bias } = use;
  const values = bias === undefined ? undefined : tensors.get(bias.name);
  const hasBias = values !== undefined && isFloat(values.dtype) && values.shape.length === 1 && values.shape[0] === n;
  const weight: MatmulWeight = hasBias ? { n, k, layout, bias: values.name } : { n, k, layout };
  const nodes = new Set(use.nodes);
  if (quantization === undefined) {
    return isFloat(tensor.dtype) ? { constant, weight, parts: [], nodes } : undefined;
  }
  const quantized = quantizedCodes(tensor, weight, quantization, tensors);
  if (quantized === undefined) return undefined;
  const { scale, zeroPoint } = quantization;
  const parts = zeroPoint === undefined ? [scale] : [scale, zeroPoint];
  return { constant, weight: { ...weight, quantized }, parts, nodes };
}

/** Two products by one constant. With different biases they share the weights only. */
function merged(a: Candidate, b: Candidate): Candidate | undefined {
  const isSame = a.weight.layout === b.weight.layout && a.parts.length === b.parts.length;
  if (!isSame || a.parts.some((part, index) => part !== b.parts[index])) return undefined;
  const nodes = new Set([...a.nodes, ...b.nodes]);
  if (a.weight.bias === b.weight.bias) return { ...a, nodes };
  const { n, k, layout, quantized } = a.weight;
  return { ...a, weight: quantized === undefined ? { n, k, layout } : { n, k, layout, quantized }, nodes };
}

/** Nodes that pass a constant on to the products by it. */
const PASSING = new Set(['Identity', 'Cast', 'Transpose', 'DequantizeLinear', 'Mul']);

/** Whether the constant, and what is made of it on the way to the products, goes nowhere else. */
function isOnlyMultiplied({ constant, nodes }: Candidate): boolean {
  const seen = new Set<OnnxNode>();
  const values = [{ scope: constant.scope, name: constant.value }];
  for (const { scope, name } of values) {
    if (!isUsedOnlyBy(scope, name, nodes)) return false;
    for (const use of scope.consumers.get(name) ?? []) {
      if (!PASSING.has(use.node.op) || seen.has(use.node)) continue;
      seen.add(use.node);
      for (const output of use.node.outputs) values.push({ scope: use.scope, name: output });
    }
  }
  return true;
}

function isUsedOnlyBy(scope: OnnxScope, value: string, nodes: ReadonlySet<OnnxNode>): boolean {
  if (scope.outputs.has(value)) return false;
  return (scope.consumers.get(value) ?? []).every(({ node }) => nodes.has(node));
}
