import type { ActivationRange, WeightGranularity, Scheme } from '../schemes.js';
import type { ConvertSettings } from './options.js';
import type { Plan } from './plan.js';

/** What became of one tensor. */
export interface ConvertedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** `packed`: a matmul weight in the new scheme; `bias`: stored beside its weight; `kept`: as it was. */
  readonly action: 'packed' | 'bias' | 'kept';
  readonly bytesBefore: number;
  /** Bytes in the output; a bias counts with its weight. */
  readonly bytesAfter: number;
  /** Why a matmul weight was kept. */
  readonly reason?: string;
}

/** What `convert` did. */
export interface ConvertReport {
  readonly input: string;
  readonly output: string;
  /** Format of the input, such as `safetensors` or `tfjs-graph`. */
  readonly format: string;
  readonly scheme: Scheme;
  readonly granularity: WeightGranularity;
  readonly symmetric: boolean;
  readonly activations: ActivationRange;
  /** Numbers of tensors. */
  readonly packed: number;
  readonly kept: number;
  /** Bytes of the source's tensors, and of the output file. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly seconds: number;
  readonly tensors: readonly ConvertedTensor[];
}

/** One line per tensor, in the order of the output. */
export function reportTensors(plan: Plan): ConvertedTensor[] {
  const tensors: ConvertedTensor[] = [];
  for (const { tensor, parts, bias } of plan.packed) {
    let bytesAfter = 0;
    for (const part of parts.values()) bytesAfter += part.byteLength;
    tensors.push({ ...describe(tensor), action: 'packed', bytesAfter });
    if (bias !== undefined && plan.biases.get(bias.name) === tensor.name) {
      tensors.push({ ...describe(bias), action: 'bias', bytesAfter: 0 });
    }
  }
  for (const { tensor, reason } of plan.kept) {
    const line = { ...describe(tensor), action: 'kept', bytesAfter: tensor.byteLength } as const;
    tensors.push(reason === undefined ? line : { ...line, reason });
  }
  return tensors;
}

export function makeReport(
  paths: { input: string; output: string; format: string },
  settings: ConvertSettings,
  plan: Plan,
  bytesAfter: number,
  seconds: number,
): ConvertReport {
  const tensors = reportTensors(plan);
  return {
    ...paths,
    scheme: settings.scheme,
    granularity: settings.granularity,
    symmetric: settings.symmetric,
    activations: settings.activations,
    packed: plan.packed.length,
    kept: plan.kept.length,
    bytesBefore: tensors.reduce((bytes, tensor) => bytes + tensor.bytesBefore, 0),
    bytesAfter,
    seconds,
    tensors,
  };
}

function describe(tensor: { name: string; dtype: string; shape: readonly number[]; byteLength: number }): {
  name: string;
  dtype: string;
  shape: readonly number[];
  bytesBefore: number;
} {
  const { name, dtype, shape, byteLength } = tensor;
  return { name, dtype, shape, bytesBefore: byteLength };
}
