import { QgemmError, show } from '../errors.js';
import { dtypeBits } from '../formats/dtypes.js';
import { MAX_PACKED_ELEMENTS } from '../formats/limits.js';
import { packedParts, type PartName } from '../formats/packed.js';
import type { PackedRecord } from '../formats/packed-record.js';
import type { OutputEntry } from '../formats/safetensors.js';
import type { MatmulWeight, ModelSource, SourceTensor } from '../formats/source.js';
import { maxK } from '../schemes.js';
import { matchesGlob } from './glob.js';
import type { ConvertSettings } from './options.js';

/** A weight that will be packed. */
export interface PackStep {
  readonly tensor: SourceTensor;
  readonly weight: MatmulWeight;
  readonly record: PackedRecord;
  readonly parts: ReadonlyMap<PartName, OutputEntry>;
  readonly bias: SourceTensor | undefined;
}

/** A tensor that will be written as it is. */
export interface KeepStep {
  readonly tensor: SourceTensor;
  /** Why a float matrix is kept; undefined where nothing else was to be expected. */
  readonly reason?: string;
}

/** What a conversion will write, in the order of the file. Made before anything is written; knows no format. */
export interface Plan {
  readonly packed: readonly PackStep[];
  readonly kept: readonly KeepStep[];
  /** Biases that are stored beside their weights, and the weight that each belongs to. */
  readonly biases: ReadonlyMap<string, string>;
}

/**
 * Decides for every tensor whether it is packed or kept.
 *
 * @throws QgemmError ARGUMENT for a glob that matches nothing, LIMIT for a weight that was asked for and is too large,
 * FORMAT where two tensors of the output would have the same name.
 */
export function planConversion(source: ModelSource, settings: ConvertSettings): Plan {
  for (const glob of [...settings.include, ...settings.exclude]) checkGlob(glob, source);
  const selected = selectWeights(source, settings);
  const packed: PackStep[] = [];
  const biases = new Map<string, string>();
  const reasons = new Map<string, string>();
  for (const [name, weight] of selected) {
    const reason = tooLarge(weight, settings);
    if (reason === undefined) {
      const step = packStep(source, name, weight, settings);
      packed.push(step);
      if (step.bias !== undefined) biases.set(step.bias.name, name);
    } else if (settings.include.length > 0) {
      throw new QgemmError('ERR_QGEMM_LIMIT', `tensor ${show(name)} cannot be packed: ${reason}`);
    } else {
      reasons.set(name, reason);
    }
  }
  const taken = new Set([...packed.map(({ tensor }) => tensor.name), ...biases.keys()]);
  const kept = [...source.tensors.values()]
    .filter(({ name }) => !taken.has(name))
    .map((tensor) => keepStep(tensor, reasons.get(tensor.name)))
    // Large elements first: then every tensor lies at a multiple of its element size.
    .sort((a, b) => dtypeBits(b.tensor.dtype) - dtypeBits(a.tensor.dtype));
  checkNames(packed, kept);
  return { packed, kept, biases };
}

function checkGlob(glob: string, source: ModelSource): void {
  for (const name of source.tensors.keys()) if (matchesGlob(glob, name)) return;
  throw new QgemmError(
    'ERR_QGEMM_ARGUMENT',
    `glob ${show(glob)} must match at least one tensor of ${show(source.path)}, but matches none`,
  );
}

function selectWeights(source: ModelSource, { include, exclude }: ConvertSettings): Map<string, MatmulWeight> {
  const selected = new Map<string, MatmulWeight>();
  for (const name of source.tensors.keys()) {
    if (matchesAny(exclude, name)) continue;
    const known = source.matmuls.get(name);
    const weight =
      include.length === 0 ? known : matchesAny(include, name) ? (known ?? source.asMatmul(name)) : undefined;
    // An empty matrix has nothing to pack.
    if (weight !== undefined && weight.n > 0 && weight.k > 0) selected.set(name, weight);
  }
  for (const glob of include) {
    if (![...selected.keys()].some((name) => matchesGlob(glob, name))) {
      throw new QgemmError(
        'ERR_QGEMM_ARGUMENT',
        `glob ${show(glob)} must match a float matrix that is not excluded, but matches none`,
      );
    }
  }
  return selected;
}

function matchesAny(globs: readonly string[], name: string): boolean {
  return globs.some((glob) => matchesGlob(glob, name));
}

function tooLarge({ n, k }: MatmulWeight, { scheme, symmetric }: ConvertSettings): string | undefined {
  const limit = maxK(scheme, symmetric);
  if (k > limit) return `K must be at most ${limit} for exact int32 sums, got ${k}`;
  if (n * k > MAX_PACKED_ELEMENTS) return `it must have at most ${MAX_PACKED_ELEMENTS} elements, got ${n * k}`;
  return undefined;
}

function packStep(source: ModelSource, name: string, weight: MatmulWeight, settings: ConvertSettings): PackStep {
  const tensor = source.tensors.get(name)!;
  const { scheme, granularity, symmetric, activations, exclude } = settings;
  // A bias that the user excludes is a tensor like others.
  const named = weight.bias !== undefined && !matchesAny(exclude, weight.bias) ? weight.bias : undefined;
  const bias = named === undefined ? undefined : source.tensors.get(named);
  const record: PackedRecord = {
    scheme,
    n: weight.n,
    k: weight.k,
    granularity,
    symmetric,
    activations,
    source: { dtype: tensor.dtype, shape: tensor.shape, layout: weight.layout },
    ...(bias && { bias: { name: bias.name, dtype: bias.dtype } }),
  };
  return { tensor, weight, record, parts: packedParts(name, record), bias };
}

function keepStep(tensor: SourceTensor, reason: string | undefined): KeepStep {
  return reason === undefined ? { tensor } : { tensor, reason };
}

/** The names of the arrays of packed weights are ours; a source may use them for something else. */
function checkNames(packed: readonly PackStep[], kept: readonly KeepStep[]): void {
  const names = new Set<string>();
  const outputs = packed.flatMap(({ parts }) => [...parts.values()].map(({ name }) => name));
  for (const name of [...outputs, ...kept.map(({ tensor }) => tensor.name)]) {
    if (names.has(name)) {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `two tensors of the output would be named ${show(name)}: exclude the weight that it is packed for`,
      );
    }
    names.add(name);
  }
}

/** Bytes of all tensors of a source. */
export function sourceBytes(source: ModelSource): number {
  let bytes = 0;
  for (const tensor of source.tensors.values()) bytes += tensor.byteLength;
  return bytes;
}
