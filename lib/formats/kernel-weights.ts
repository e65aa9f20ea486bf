import { isFloat } from './dtypes.js';
import type { MatmulWeight, SourceTensor } from './source.js';

type Tensors = ReadonlyMap<string, SourceTensor>;

const KERNEL = /(?:^|[./])kernel$/;

/** The kernels of `FlaxConv1D` (GPT-2 in transformers), which are [N, K]. Others use these names for [K, N]. */
const CONV1D_KERNEL = /(?:^|[./])(?:c_attn|q_attn|c_proj|c_fc)[./]kernel$/;

/** Whether a name is that of a kernel, as Flax and Keras call the weights of dense layers and convolutions. */
export function isKernel(name: string): boolean {
  return KERNEL.test(name);
}

/**
 * How kernels are multiplied by: float matrices [K, N], with the `bias` beside them. One counts as [N, K] where its bias
 * has as many values as it has rows and not as it has columns, and, where it is square, when it has a name of `FlaxConv1D`
 * in a model in which such kernels are [N, K].
 */
export function kernelRule(tensors: Tensors): (name: string) => MatmulWeight | undefined {
  const conv1d = [...tensors.keys()].some((name) => CONV1D_KERNEL.test(name) && biasFitsRows(tensors, name));
  return (name) => {
    const tensor = tensors.get(name);
    if (tensor === undefined || tensor.shape.length !== 2 || !isFloat(tensor.dtype)) return undefined;
    const [rows, columns] = tensor.shape as [number, number];
    const square = rows === columns;
    const transposed = square ? conv1d && CONV1D_KERNEL.test(name) : biasFitsRows(tensors, name);
    const [k, n] = transposed ? [columns, rows] : [rows, columns];
    const layout = transposed ? 'nk' : 'kn';
    const bias = biasOf(tensors, name);
    return bias?.shape[0] === n ? { n, k, layout, bias: bias.name } : { n, k, layout };
  };
}

function biasFitsRows(tensors: Tensors, name: string): boolean {
  const shape = tensors.get(name)?.shape ?? [];
  return shape.length === 2 && shape[0] !== shape[1] && biasOf(tensors, name)?.shape[0] === shape[0];
}

function biasOf(tensors: Tensors, name: string): SourceTensor | undefined {
  const bias = tensors.get(name.replace(/kernel$/, 'bias'));
  return bias !== undefined && isFloat(bias.dtype) && bias.shape.length === 1 ? bias : undefined;
}
