import { setImmediate } from 'node:timers/promises';
import { openConverted, type ConvertedModel, type ConvertedTensor } from './formats/converted.js';
import { isFloat } from './formats/dtypes.js';
import type { ModelSource, SourceTensor } from './formats/source.js';
import { sourceBytes, storedBytes } from './stored-bytes.js';
import { measurePacked, measurePlain } from './verify-measure.js';
import { biasProblem, keptProblem, recordProblem, shapeProblem } from './verify-problems.js';
import {
  byLoss,
  totals,
  type Mismatch,
  type VerifiedTensor,
  type VerifiedWeight,
  type VerifyReport,
} from './verify-report.js';

interface CompareSettings {
  readonly histograms: boolean;
  readonly signal?: AbortSignal;
}

/** Compares an open model with the converted one under `path`. */
export async function compareModels(
  source: ModelSource,
  path: string,
  settings: CompareSettings,
): Promise<VerifyReport> {
  const converted = openConverted(path);
  try {
    const found = await compareTensors(source, converted, settings);
    return {
      original: source.path,
      quantized: path,
      ...found,
      weights: found.weights.sort(byLoss),
      total: totals(found.weights),
      kept: found.keptTensors.length,
      bytesBefore: sourceBytes(source),
      bytesAfter: converted.size,
    };
  } finally {
    converted.close();
  }
}

interface Found {
  readonly weights: VerifiedWeight[];
  readonly keptTensors: VerifiedTensor[];
  readonly mismatches: Mismatch[];
}

async function compareTensors(
  source: ModelSource,
  converted: ConvertedModel,
  { histograms, signal }: CompareSettings,
): Promise<Found> {
  const found: Found = { weights: [], keptTensors: [], mismatches: [] };
  for (const tensor of source.tensors.values()) {
    await setImmediate();
    signal?.throwIfAborted();
    const { name, dtype, shape } = tensor;
    const copy = converted.tensors.get(name);
    const result = copy === undefined ? 'it is missing' : await compareTensor(tensor, copy, histograms);
    if (typeof result === 'string') found.mismatches.push({ name, problem: result });
    else if (result !== undefined) found.weights.push(result);
    else if (copy?.kind !== 'bias')
      found.keptTensors.push({ name, dtype: tensor.stored?.type ?? dtype, shape, bytes: storedBytes(tensor) });
  }
  for (const name of converted.tensors.keys()) {
    if (!source.tensors.has(name)) found.mismatches.push({ name, problem: 'the original does not have it' });
  }
  return found;
}

/** The errors of a weight that is stored in another way; what is wrong with a tensor; undefined where it is the same. */
async function compareTensor(
  tensor: SourceTensor,
  copy: ConvertedTensor,
  histograms: boolean,
): Promise<VerifiedWeight | string | undefined> {
  if (copy.kind === 'packed') {
    return recordProblem(tensor, copy.weight.record) ?? (await measurePacked(tensor, copy.weight, histograms));
  }
  if (copy.kind === 'bias') return biasProblem(tensor, copy.tensor);
  const stored = copy.stored ?? (copy.tensor.dtype === tensor.dtype ? undefined : typeOf(copy.tensor));
  // Held in the same way on both sides, or in no way that stands for floats.
  if (
    stored === undefined ||
    stored.type === tensor.stored?.type ||
    !isFloat(tensor.dtype) ||
    !isFloat(copy.tensor.dtype)
  ) {
    return keptProblem(tensor, copy.tensor);
  }
  return shapeProblem(tensor, copy.tensor) ?? (await measurePlain(tensor, copy.tensor, stored, histograms));
}

function typeOf({ dtype, byteLength }: SourceTensor): { type: string; byteLength: number } {
  return { type: dtype, byteLength };
}
