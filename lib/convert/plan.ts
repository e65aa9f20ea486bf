import { checkOneOf } from '../check.js';
import { QgemmError, show } from '../errors.js';
import { dtypeBits } from '../formats/dtypes.js';
import { MAX_BLOCK_ELEMENTS } from '../formats/limits.js';
import type { MatmulWeight, ModelSource, SourceTensor } from '../formats/source.js';
import { ROW_MULTIPLE } from '../formats/byte-blocks.js';
import type { KeepStep, Plan, WeightRule, WeightStep } from '../formats/writer.js';
import { maxK } from '../schemes.js';
import { matchesGlob } from './glob.js';
import { checkNumerics, type ConvertSettings } from './options.js';
import { findRule } from './recipe.js';

/**
 * Decides for every tensor whether it is packed or kept.
 *
 * @throws QgemmError ARGUMENT for a glob that matches nothing, LIMIT for a weight that was asked for and is too large
 */
export function planConversion(source: ModelSource, settings: ConvertSettings): Plan {
  const globs = [...settings.include, ...settings.exclude, ...settings.recipe.map(({ match }) => match)];
  for (const glob of globs) checkGlob(glob, source);
  const selected = selectWeights(source, settings);
  const packed: WeightStep[] = [];
  const biases = new Map<string, string>();
  const reasons = new Map<string, string>();
  for (const [name, weight] of selected) {
    const step = weightStep(source, name, weight, settings);
    const reason = tooLarge(step);
    if (reason === undefined) {
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
    // Large elements first: then, where tensors follow each other, each lies at a multiple of its element size.
    .sort((a, b) => dtypeBits(b.tensor.dtype) - dtypeBits(a.tensor.dtype));
  return { packed, kept, biases };
}

function checkGlob(glob: string, source: ModelSource): void {
  for (const name of source.tensors.keys()) if (matchesGlob(glob, name)) return;
  throw new QgemmError(
    'ERR_QGEMM_ARGUMENT',
    `glob ${show(glob)} must match at least one tensor of ${show(source.path)}, but matches none`,
  );
}

function selectWeights(source: ModelSource, { include, exclude, recipe }: ConvertSettings): Map<string, MatmulWeight> {
  const selected = new Map<string, MatmulWeight>();
  for (const name of source.tensors.keys()) {
    if (matchesAny(exclude, name) || findRule(recipe, name)?.keep === true) continue;
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

function tooLarge({ weight: { n, k }, rule: { scheme, symmetric } }: WeightStep): string | undefined {
  const limit = maxK(scheme, symmetric);
  if (k > limit) return `K must be at most ${limit} for exact int32 sums, got ${k}`;
  const longest = Math.floor(MAX_BLOCK_ELEMENTS / Math.min(n, ROW_MULTIPLE));
  if (k > longest) return `K must be at most ${longest} for bounded memory, got ${k}`;
  return undefined;
}

function weightStep(source: ModelSource, name: string, weight: MatmulWeight, settings: ConvertSettings): WeightStep {
  const { exclude } = settings;
  // A bias that the user excludes is a tensor like others.
  const named = weight.bias !== undefined && !matchesAny(exclude, weight.bias) ? weight.bias : undefined;
  const bias = named === undefined ? undefined : source.tensors.get(named);
  const wanted = ruleOf(name, settings);
  const codesKept = weight.quantized !== undefined && wanted.scheme === 'int8' && !settings.requantize;
  const rule = codesKept ? keptRule(weight, wanted) : wanted;
  return { tensor: source.tensors.get(name)!, weight, rule, bias, codesKept };
}

/** What the options say, and what a recipe says about this weight instead. */
function ruleOf(name: string, settings: ConvertSettings): WeightRule {
  const { scheme, granularity, symmetric, activations, numerics, nonFinite } = settings;
  const own = findRule(settings.recipe, name);
  const rule = {
    scheme: own?.scheme ?? scheme,
    granularity: own?.granularity ?? granularity,
    symmetric: own?.symmetric ?? symmetric,
    activations: own?.activations ?? activations,
    numerics: own?.numerics ?? numerics,
  };
  checkOneOf(`scheme of ${show(name)}`, rule.scheme, settings.writer.schemes);
  checkNumerics(rule.scheme, rule.symmetric, rule.numerics);
  return { ...rule, rejectNonFinite: nonFinite === 'error' };
}

/** What the source's own codes are. uint8 codes around 128 are int8 codes around 0. */
function keptRule({ quantized }: MatmulWeight, wanted: WeightRule): WeightRule {
  const { codes, granularity, readZeroPoints } = quantized!;
  const middle = codes.dtype === 'U8' ? 128 : 0;
  const zeroPoints = readZeroPoints();
  const symmetric = zeroPoints === null ? middle === 0 : zeroPoints.every((zeroPoint) => zeroPoint === middle);
  return { ...wanted, granularity, symmetric };
}

function keepStep(tensor: SourceTensor, reason: string | undefined): KeepStep {
  return reason === undefined ? { tensor } : { tensor, reason };
}
