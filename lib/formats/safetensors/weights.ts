import { isFloat } from '../dtypes.js';
import type { MatmulWeight, ModelSource, SourceTensor } from '../source.js';

type Tensors = ReadonlyMap<string, SourceTensor>;

/**
 * Lookup tables, the gains of normalisations and depthwise filters: 2-d in some models, never multiplied by. The names are
 * those of Hugging Face and of ggml (`token_embd`, `token_types`, `ssm_conv1d`).
 */
const NOT_MULTIPLIED = /embe?d|wte|wpe|norm|token_types|ssm_conv/i;

/** The names of Hugging Face's `Conv1D` (GPT-2 and its kin), which stores [K, N]. Others use these names for [N, K]. */
const CONV1D_NAME = /(?:^|\.)(?:c_attn|q_attn|c_proj|c_fc)\.weight$/;

/**
 * How the tensors of a safetensors model are multiplied by. `matmuls` are 2-d float tensors named `*.weight`, except lookup
 * tables and normalisations by name. PyTorch's Linear stores [N, K]. A weight counts as [K, N] where its bias has as many
 * values as it has columns and not as it has rows, and, where it is square, when it has a name of `Conv1D` in a model in
 * which such names are [K, N].
 */
export function safetensorsWeights(tensors: Tensors): Pick<ModelSource, 'matmuls' | 'asMatmul'> {
  const conv1d = usesConv1d(tensors);
  const asMatmul = (name: string): MatmulWeight | undefined => describe(tensors, name, conv1d);
  const matmuls = new Map<string, MatmulWeight>();
  for (const name of tensors.keys()) {
    const weight = name.endsWith('.weight') && !NOT_MULTIPLIED.test(name) ? asMatmul(name) : undefined;
    if (weight !== undefined) matmuls.set(name, weight);
  }
  return { matmuls, asMatmul };
}

function describe(tensors: Tensors, name: string, conv1d: boolean): MatmulWeight | undefined {
  const tensor = tensors.get(name);
  if (tensor === undefined || tensor.shape.length !== 2 || !isFloat(tensor.dtype)) return undefined;
  const [rows, columns] = tensor.shape as [number, number];
  const bias = biasOf(tensors, name);
  const length = bias?.shape[0];
  const square = rows === columns;
  const transposed = square ? conv1d && CONV1D_NAME.test(name) : length === columns;
  const [n, k] = transposed ? [columns, rows] : [rows, columns];
  const layout = transposed ? 'kn' : 'nk';
  return bias !== undefined && length === n ? { n, k, layout, bias: bias.name } : { n, k, layout };
}

function biasOf(tensors: Tensors, name: string): SourceTensor | undefined {
  if (!name.endsWith('.weight')) return undefined;
  const bias = tensors.get(`${name.slice(0, -'weight'.length)}bias`);
  return bias !== undefined && bias.shape.length === 1 && isFloat(bias.dtype) ? bias : undefined;
}

function usesConv1d(tensors: Tensors): boolean {
  for (const [name, { shape }] of tensors) {
    if (!CONV1D_NAME.test(name) || shape.length !== 2 || shape[0] === shape[1]) continue;
    if (biasOf(tensors, name)?.shape[0] === shape[1]) return true;
  }
  return false;
}
