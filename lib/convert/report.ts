import type { SourceTensor } from '../formats/source.js';
import type { VerifyReport } from '../verify-report.js';
import type { OutputLayout, Plan, WeightRule } from '../formats/writer.js';
import type { ActivationRange, WeightGranularity, WeightNumerics, WeightScheme } from '../schemes.js';
import type { ConvertSettings } from './options.js';

/** What became of one tensor. */
export interface ConvertedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** `packed`: a matmul weight in the new scheme; `bias`: stored beside its weight; `kept`: as it was. */
  readonly action: 'packed' | 'bias' | 'kept';
  /** Bytes in the source's file. */
  readonly bytesBefore: number;
  /** Bytes in the output; a bias that is stored beside its weight counts with it. */
  readonly bytesAfter: number;
  /** Why a matmul weight was kept. */
  readonly reason?: string;
  /** How a packed weight is stored, such as `int8 per-channel symmetric`. */
  readonly storedAs?: string;
  /** Present where the codes of a weight that was quantized already are those of the source. */
  readonly codesKept?: true;
}

/** What `convert` did. */
export interface ConvertReport {
  readonly input: string;
  readonly output: string;
  /** Format of the input, such as `safetensors` or `tfjs-graph`. */
  readonly format: string;
  /** Format of the output, such as `safetensors`. */
  readonly outputFormat: string;
  readonly scheme: WeightScheme;
  readonly granularity: WeightGranularity;
  readonly symmetric: boolean;
  readonly activations: ActivationRange;
  readonly numerics: WeightNumerics;
  /** Numbers of tensors. */
  readonly packed: number;
  readonly kept: number;
  /** Bytes of the source's tensors, and of the output file. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly seconds: number;
  readonly tensors: readonly ConvertedTensor[];
  /** Present where the conversion was asked to measure: how far the output is from the input. */
  readonly errors?: VerifyReport;
}

/** One line per tensor, in the order of the output. */
export function reportTensors(plan: Plan, layout: OutputLayout): ConvertedTensor[] {
  const tensors: ConvertedTensor[] = [];
  for (const { tensor, bias, rule, codesKept } of plan.packed) {
    const bytesAfter = layout.weightBytes.get(tensor.name) ?? 0;
    tensors.push({
      ...describe(tensor),
      action: 'packed',
      bytesAfter,
      storedAs: storedAs(rule),
      ...(codesKept && { codesKept }),
    });
    if (bias !== undefined && plan.biases.get(bias.name) === tensor.name) {
      tensors.push({ ...describe(bias), action: 'bias', bytesAfter: layout.weightBytes.get(bias.name) ?? 0 });
    }
  }
  for (const { tensor, reason } of plan.kept) {
    const bytesAfter = layout.weightBytes.get(tensor.name) ?? tensor.byteLength;
    const line = { ...describe(tensor), action: 'kept', bytesAfter } as const;
    tensors.push(reason === undefined ? line : { ...line, reason });
  }
  return tensors;
}

function storedAs({ scheme, granularity, symmetric, numerics }: WeightRule): string {
  if (scheme !== 'int8') return scheme;
  const formulas = numerics === 'qgemm' ? '' : `, ${numerics} numerics`;
  return `int8 ${granularity} ${symmetric ? 'symmetric' : 'asymmetric'}${formulas}`;
}

export function makeReport(
  paths: { input: string; output: string; format: string },
  settings: ConvertSettings,
  plan: Plan,
  layout: OutputLayout,
  bytesAfter: number,
  seconds: number,
): ConvertReport {
  const tensors = reportTensors(plan, layout);
  return {
    ...paths,
    outputFormat: settings.writer.format,
    scheme: settings.scheme,
    granularity: settings.granularity,
    symmetric: settings.symmetric,
    activations: settings.activations,
    numerics: settings.numerics,
    packed: plan.packed.length,
    kept: plan.kept.length,
    bytesBefore: tensors.reduce((bytes, tensor) => bytes + tensor.bytesBefore, 0),
    bytesAfter,
    seconds,
    tensors,
  };
}

function describe(tensor: SourceTensor): Pick<ConvertedTensor, 'name' | 'dtype' | 'shape' | 'bytesBefore'> {
  const { name, dtype, shape, byteLength, stored } = tensor;
  return { name, dtype, shape, bytesBefore: stored?.byteLength ?? byteLength };
}
