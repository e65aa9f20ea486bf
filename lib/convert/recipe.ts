import { QgemmError, show } from '../errors.js';
import { FileSource, readBytes } from '../formats/file.js';
import { parseJson, type JsonValue } from '../formats/json.js';
import { MAX_CONFIG_BYTES } from '../formats/limits.js';
import {
  ACTIVATION_RANGES,
  GRANULARITIES,
  WEIGHT_NUMERICS,
  WEIGHT_SCHEMES,
  type ActivationRange,
  type WeightGranularity,
  type WeightNumerics,
  type WeightScheme,
} from '../schemes.js';
import { matchesGlob } from './glob.js';

/** What a recipe says about the weights that match a glob; what it leaves out is as the options say. */
export interface RecipeRule {
  readonly match: string;
  /** Kept as it is. */
  readonly keep?: boolean;
  readonly scheme?: WeightScheme;
  readonly granularity?: WeightGranularity;
  readonly symmetric?: boolean;
  readonly activations?: ActivationRange;
  readonly numerics?: WeightNumerics;
}

const CHOICES: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ['scheme', WEIGHT_SCHEMES],
  ['granularity', GRANULARITIES],
  ['activations', ACTIVATION_RANGES],
  ['numerics', WEIGHT_NUMERICS],
]);
const FLAGS = ['keep', 'symmetric'];

/**
 * Reads a recipe: `{"rules": [{"match": glob, ...}]}` (docs/recipe.schema.json).
 *
 * @throws QgemmError IO; LIMIT; FORMAT where it is no recipe, naming the rule and the key
 */
export function readRecipe(path: string): readonly RecipeRule[] {
  const file = new FileSource(path);
  const what = show(path);
  let json: JsonValue;
  try {
    if (file.size > MAX_CONFIG_BYTES) {
      throw new QgemmError('ERR_QGEMM_LIMIT', `${what} must have at most ${MAX_CONFIG_BYTES} bytes, got ${file.size}`);
    }
    json = parseJson(readBytes(file, 0, file.size), { what });
  } finally {
    file.release();
  }
  if (!(json instanceof Map)) throw invalid(what, 'an object with "rules"', json);
  for (const key of json.keys()) {
    if (key !== 'rules' && key !== '$schema') throw unknownKey(what, key, ['rules', '$schema']);
  }
  const rules = json.get('rules');
  if (!Array.isArray(rules)) throw invalid(`"rules" in ${what}`, 'an array', rules);
  return rules.map((rule, index) => checkRule(`rules[${index}] in ${what}`, rule));
}

/** The first rule whose glob matches. */
export function findRule(rules: readonly RecipeRule[], name: string): RecipeRule | undefined {
  return rules.find(({ match }) => matchesGlob(match, name));
}

function checkRule(what: string, rule: JsonValue): RecipeRule {
  if (!(rule instanceof Map)) throw invalid(what, 'an object', rule);
  const match = rule.get('match');
  if (typeof match !== 'string' || match === '') throw invalid(`"match" of ${what}`, 'a glob', match);
  for (const [key, value] of rule) {
    const choices = CHOICES.get(key);
    if (choices !== undefined) {
      if (!choices.includes(value as string))
        throw invalid(`"${key}" of ${what}`, `one of ${choices.join(', ')}`, value);
    } else if (FLAGS.includes(key)) {
      if (typeof value !== 'boolean') throw invalid(`"${key}" of ${what}`, 'a boolean', value);
    } else if (key !== 'match') {
      throw unknownKey(what, key, ['match', ...FLAGS, ...CHOICES.keys()]);
    }
  }
  // Every key was checked, so that none of them is `__proto__`.
  return Object.fromEntries(rule) as unknown as RecipeRule;
}

function invalid(what: string, expected: string, got: unknown): QgemmError {
  return new QgemmError('ERR_QGEMM_FORMAT', `${what} must be ${expected}, got ${show(got)}`);
}

function unknownKey(what: string, key: string, known: readonly string[]): QgemmError {
  return new QgemmError('ERR_QGEMM_FORMAT', `${what} must have no keys but ${known.join(', ')}, got ${show(key)}`);
}
