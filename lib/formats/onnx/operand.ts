import { findValue, type OnnxConstant, type OnnxScope, type OnnxValue } from './graph.js';
import type { OnnxNode } from './proto.js';

/** How 8-bit codes become values: (code - zeroPoint) * scale. */
export interface OnnxQuantization {
  readonly scale: OnnxConstant;
  readonly zeroPoint: OnnxConstant | undefined;
  /** The dimension of the codes that a scale for each channel runs along, negative from the end; `output`: that of N. */
  readonly axis: number | 'output';
}

/** A constant as an operand of a product, and the nodes on the way to it. */
export interface OnnxOperand {
  readonly constant: OnnxConstant;
  /** Whether it is transposed on the way. */
  readonly transposed: boolean;
  readonly quantization: OnnxQuantization | undefined;
  readonly path: readonly OnnxNode[];
}

/** More nodes between a constant and its use are not looked through. */
const MAX_STEPS = 32;

/** FLOAT, FLOAT16, DOUBLE, BFLOAT16: casts between them change nothing about how a weight is used. */
const FLOAT_TYPES = new Set([1, 10, 11, 16]);

/**
 * The constant behind an operand: through Identity, Cast to a float type, Transpose of two dimensions, and what makes values of
 * codes: DequantizeLinear, or a cast and a multiplication by the scale.
 */
export function resolveOperand(from: OnnxScope, name: string | undefined): OnnxOperand | undefined {
  const path: OnnxNode[] = [];
  let quantization: OnnxQuantization | undefined;
  let transposed = false;
  let scope = from;
  for (let step = 0; name !== undefined && name !== '' && step < MAX_STEPS; ++step) {
    const value: OnnxValue | undefined = findValue(scope, name);
    if (value?.constant !== undefined) return { constant: value.constant, transposed, quantization, path };
    if (value?.node === undefined) return undefined;
    const { node } = value;
    scope = value.scope;
    path.push(node);
    name = node.inputs[0];
    if (node.op === 'Transpose') {
      // An axis counts dimensions after a transposition that comes before it.
      if (!swapsTwo(node) || quantization !== undefined) return undefined;
      transposed = !transposed;
    } else if (node.op === 'DequantizeLinear' || node.op === 'Mul') {
      // Codes of codes are none.
      if (quantization !== undefined) return undefined;
      const scaled = node.op === 'Mul' ? scaledCast(scope, node) : dequantizedInput(scope, node);
      if (scaled === undefined) return undefined;
      ({ quantization, name } = scaled);
    } else if (node.op === 'Cast' ? !FLOAT_TYPES.has(node.attributes.get('to')?.int ?? 0) : node.op !== 'Identity') {
      return undefined;
    }
  }
  return undefined;
}

/** A constant that is used as it is, through Identity at most. */
export function plainConstant(scope: OnnxScope, name: string | undefined): OnnxConstant | undefined {
  const operand = resolveOperand(scope, name);
  return operand?.path.every(({ op }) => op === 'Identity') ? operand.constant : undefined;
}

function swapsTwo({ attributes }: OnnxNode): boolean {
  const perm = attributes.get('perm');
  return perm === undefined || perm.ints?.join() === '1,0';
}

interface Scaled {
  readonly quantization: OnnxQuantization;
  readonly name: string | undefined;
}

function dequantizedInput(scope: OnnxScope, { inputs, attributes }: OnnxNode): Scaled | undefined {
  const scale = plainConstant(scope, inputs[1]);
  const zeroPoint = plainConstant(scope, inputs[2]);
  const isBlocked = (attributes.get('block_size')?.int ?? 0) !== 0;
  if (scale === undefined || isBlocked || (zeroPoint === undefined && !isAbsent(inputs[2]))) return undefined;
  const axis = attributes.get('axis')?.int ?? 1;
  return { quantization: { scale, zeroPoint, axis }, name: inputs[0] };
}

/** Mul(Cast(codes), scale): what exporters write where they avoid DequantizeLinear. */
function scaledCast(scope: OnnxScope, { inputs }: OnnxNode): Scaled | undefined {
  for (const [codes, factor] of [inputs, [inputs[1], inputs[0]]]) {
    const scale = plainConstant(scope, factor);
    const cast = codes === undefined ? undefined : findValue(scope, codes)?.node;
    if (scale === undefined || cast?.op !== 'Cast') continue;
    const axis = scaledAxis(scale.tensor.dims);
    if (axis !== undefined) return { quantization: { scale, zeroPoint: undefined, axis }, name: codes };
  }
  return undefined;
}

/** The dimension of a matrix that a factor runs along: the last for [N] and [1, N], the first for [N, 1]. */
function scaledAxis(dims: readonly number[]): number | undefined {
  if (dims.length < 2) return 1;
  const [rows, columns] = dims;
  if (dims.length > 2) return undefined;
  return rows === 1 ? 1 : columns === 1 ? 0 : undefined;
}

function isAbsent(name: string | undefined): boolean {
  return name === undefined || name === '';
}
