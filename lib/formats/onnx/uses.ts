import { findValue, type OnnxConstant, type OnnxScope } from './graph.js';
import { plainConstant, resolveOperand, type OnnxOperand, type OnnxQuantization } from './operand.js';
import type { OnnxNode } from './proto.js';

/** A constant that a node multiplies by. */
export interface OnnxUse {
  readonly operand: OnnxOperand;
  /** As the values lie in the file. */
  readonly layout: 'kn' | 'nk';
  /** A filter [N, K, 1, ...] rather than a matrix. */
  readonly isFilter: boolean;
  readonly bias: OnnxConstant | undefined;
  /** All nodes from the constant to the product, and the one that makes floats of it. */
  readonly nodes: readonly OnnxNode[];
}

/** Which inputs of an operator are what. */
interface Operator {
  readonly weight: number;
  /** Of a weight in codes; `product`: the sums are multiplied by it later. */
  readonly scale?: number | 'product';
  readonly zeroPoint?: number;
  readonly bias?: number;
  readonly isFilter?: true;
}

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['MatMul', { weight: 1 }],
  ['Gemm', { weight: 1, bias: 2 }],
  ['Conv', { weight: 1, bias: 2, isFilter: true }],
  ['MatMulInteger', { weight: 1, scale: 'product', zeroPoint: 3 }],
  ['ConvInteger', { weight: 1, scale: 'product', zeroPoint: 3, isFilter: true }],
  ['QLinearMatMul', { weight: 3, scale: 4, zeroPoint: 5 }],
  ['QLinearConv', { weight: 3, scale: 4, zeroPoint: 5, isFilter: true }],
  ['com.microsoft.FusedMatMul', { weight: 1 }],
  ['com.microsoft.FusedGemm', { weight: 1, bias: 2 }],
  ['com.microsoft.FusedConv', { weight: 1, bias: 2, isFilter: true }],
  ['com.microsoft.DynamicQuantizeMatMul', { weight: 1, scale: 2, zeroPoint: 3, bias: 4 }],
  ['com.microsoft.MatMulIntegerToFloat', { weight: 1, scale: 3, zeroPoint: 5, bias: 6 }],
  ['com.microsoft.QGemm', { weight: 3, scale: 4, zeroPoint: 5 }],
]);

/** How a node multiplies by a constant; undefined where it does not, or not as y = x . W + bias. */
export function weightUse(node: OnnxNode, scope: OnnxScope): OnnxUse | undefined {
  const operator = OPERATORS.get(node.op);
  if (operator === undefined || !isPlainProduct(node)) return undefined;
  const found = resolveOperand(scope, node.inputs[operator.weight]);
  if (found === undefined) return undefined;
  const isFilter = operator.isFilter === true;
  const { dims } = found.constant.tensor;
  if (isFilter ? dims.length < 3 || !dims.slice(2).every((dim) => dim === 1) : dims.length !== 2) return undefined;
  if (isFilter && found.transposed) return undefined;

  const product = productOf(node, scope, operator);
  if (product === undefined) return undefined;
  const operand = completed(found, product, node, scope, operator);
  if (operand === undefined) return undefined;

  const transposed = flag(node, 'transB') !== found.transposed;
  const layout = isFilter || transposed ? 'nk' : 'kn';
  const given = operator.bias === undefined ? undefined : node.inputs[operator.bias];
  const bias = given ? plainConstant(scope, given) : addedConstant(scope, product.output);
  return { operand, layout, isFilter, bias, nodes: [...found.path, ...product.nodes] };
}

interface Product {
  readonly nodes: readonly OnnxNode[];
  readonly output: string | undefined;
  /** Name of the scale of a weight in codes. */
  readonly scale: string | undefined;
}

function productOf(node: OnnxNode, scope: OnnxScope, { scale }: Operator): Product | undefined {
  if (scale === 'product') return scaledProduct(node, scope);
  return { nodes: [node], output: node.outputs[0], scale: scale === undefined ? undefined : node.inputs[scale] };
}

/** Attributes that make a product something else: its factors, the transposed left side, groups of channels. */
function isPlainProduct(node: OnnxNode): boolean {
  const { attributes } = node;
  const one = (name: string): boolean => (attributes.get(name)?.float ?? 1) === 1;
  const isGrouped = (attributes.get('group')?.int ?? 1) !== 1;
  return one('alpha') && one('beta') && !flag(node, 'transA') && !flag(node, 'transBatchB') && !isGrouped;
}

function flag({ attributes }: OnnxNode, name: string): boolean {
  return (attributes.get(name)?.int ?? 0) !== 0;
}

/** The operand with the scale and zero point that the node itself takes for it. */
function completed(
  operand: OnnxOperand,
  product: Product,
  node: OnnxNode,
  scope: OnnxScope,
  operator: Operator,
): OnnxOperand | undefined {
  if (operator.scale === undefined) return operand;
  const scale = plainConstant(scope, product.scale);
  const name = operator.zeroPoint === undefined ? undefined : node.inputs[operator.zeroPoint];
  const zeroPoint = plainConstant(scope, name);
  const isUnknown = zeroPoint === undefined && name !== undefined && name !== '';
  if (scale === undefined || isUnknown || operand.quantization !== undefined) return undefined;
  const quantization: OnnxQuantization = { scale, zeroPoint, axis: 'output' };
  return { ...operand, quantization };
}

/**
 * What onnxruntime's quantize_dynamic writes after integer products: Mul(Cast(sums), Mul(scale of the input, scale of the
 * weight)), where the latter is a constant.
 */
function scaledProduct(node: OnnxNode, scope: OnnxScope): Product | undefined {
  const cast = onlyConsumer(scope, node.outputs[0]);
  if (cast?.op !== 'Cast') return undefined;
  const mul = onlyConsumer(scope, cast.outputs[0]);
  if (mul?.op !== 'Mul') return undefined;
  const factor = mul.inputs.find((input) => input !== cast.outputs[0]);
  const scales = factor === undefined ? undefined : findValue(scope, factor)?.node;
  if (scales?.op !== 'Mul') return undefined;
  const constants = scales.inputs.filter((input) => plainConstant(scope, input) !== undefined);
  if (constants.length !== 1) return undefined;
  return { nodes: [node, cast, mul, scales], output: mul.outputs[0], scale: constants[0]! };
}

/** The constant that an Add adds to a value which nobody else uses. */
function addedConstant(scope: OnnxScope, output: string | undefined): OnnxConstant | undefined {
  const add = onlyConsumer(scope, output);
  if (add?.op !== 'Add') return undefined;
  return plainConstant(
    scope,
    add.inputs.find((input) => input !== output),
  );
}

/** The node that uses a value of this graph, where just one does, in the same graph. */
function onlyConsumer(scope: OnnxScope, output: string | undefined): OnnxNode | undefined {
  if (output === undefined || scope.outputs.has(output)) return undefined;
  const consumers = scope.consumers.get(output);
  return consumers?.length === 1 && consumers[0]!.scope === scope ? consumers[0]!.node : undefined;
}
