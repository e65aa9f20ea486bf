import { isFloat } from './dtypes.js';
import { safetensorsWeights } from './safetensors-weights.js';
import type { MatmulWeight, ModelSource, SourceTensor } from './source.js';

type Tensors = ReadonlyMap<string, SourceTensor>;

const KERNEL = /(?:^|[./])kernel$/;
const LOOKUP = /embed/i;

/**
 * How arrays of NumPy are multiplied by. Names ending in `.weight` follow the rule of safetensors; those ending in `kernel`
 * are [K, N], as Flax and Keras have them, with the `bias` beside them. Any other float matrix is [N, K] when it is named.
 */
export function numpyWeights(tensors: Tensors): Pick<ModelSource, 'matmuls' | 'asMatmul'> {
  const byWeight = safetensorsWeights(tensors);
  const asMatmul = (name: string): MatmulWeight | undefined =>
    KERNEL.test(name) ? describeKernel(tensors, name) : byWeight.asMatmul(name);
  const matmuls = new Map(byWeight.matmuls);
  for (const name of tensors.keys()) {
    const weight = KERNEL.test(name) && !LOOKUP.test(name) ? asMatmul(name) : undefined;
    if (weight !== undefined) matmuls.set(name, weight);
  }
  return { matmuls, asMatmul };
}

function describeKernel(tensors: Tensors, name: string): MatmulWeight | undefined {
  const tensor = tensors.get(name);
  if (tensor === undefined || tensor.shape.length !== 2 || !isFloat(tensor.dtype)) return undefined;
  const [k, n] = tensor.shape as [number, number];
  const bias = tensors.get(name.replace(/kernel$/, 'bias'));
  const hasBias = bias !== undefined && isFloat(bias.dtype) && bias.shape.length === 1 && bias.shape[0] === n;
  return hasBias ? { n, k, layout: 'kn', bias: bias.name } : { n, k, layout: 'kn' };
}
