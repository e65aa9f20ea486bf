import { isKernel, kernelRule } from '../kernel-weights.js';
import { safetensorsWeights } from '../safetensors/weights.js';
import type { MatmulWeight, ModelSource, SourceTensor } from '../source.js';

const LOOKUP = /embed/i;

/**
 * How arrays of NumPy are multiplied by. Names ending in `.weight` follow the rule of safetensors, those ending in `kernel`
 * that of Flax and Keras. Any other float matrix is [N, K] when it is named.
 */
export function numpyWeights(tensors: ReadonlyMap<string, SourceTensor>): Pick<ModelSource, 'matmuls' | 'asMatmul'> {
  const byWeight = safetensorsWeights(tensors);
  const byKernel = kernelRule(tensors);
  const asMatmul = (name: string): MatmulWeight | undefined => (isKernel(name) ? byKernel : byWeight.asMatmul)(name);
  const matmuls = new Map(byWeight.matmuls);
  for (const name of tensors.keys()) {
    const weight = isKernel(name) && !LOOKUP.test(name) ? asMatmul(name) : undefined;
    if (weight !== undefined) matmuls.set(name, weight);
  }
  return { matmuls, asMatmul };
}
