import { FileSource, readBytes } from '../file.js';
import { parseJson, type JsonValue } from '../json.js';
import { MAX_CONFIG_BYTES } from '../limits.js';
import { QgemmError, show } from '../../errors.js';
import type { Plan, WeightRule } from '../writer.js';

/** The text of config.json: the source's, where it has one, with the `quantization_config` of the plan. */
export function compressedConfig(path: string | undefined, plan: Plan): Uint8Array {
  const config = path === undefined ? new Map<string, JsonValue>() : readConfig(path);
  config.set('quantization_config', toJsonValue(quantizationConfig(plan)));
  return Buffer.from(`${JSON.stringify(fromJsonValue(config), null, 2)}\n`);
}

function readConfig(path: string): Map<string, JsonValue> {
  const file = new FileSource(path);
  try {
    if (file.size > MAX_CONFIG_BYTES) {
      throw new QgemmError(
        'ERR_QGEMM_LIMIT',
        `${show(path)} must have at most ${MAX_CONFIG_BYTES} bytes, got ${file.size}`,
      );
    }
    const json = parseJson(readBytes(file, 0, file.size), { what: show(path) });
    if (!(json instanceof Map)) throw new QgemmError('ERR_QGEMM_FORMAT', `${show(path)} must be a JSON object`);
    return json;
  } finally {
    file.release();
  }
}

/** An output layer, which in vLLM is no `Linear`: quantized, it must be a target by its name. */
const OUTPUT_LAYER = /^(?:.*[.])?lm_head$/;

/**
 * Output layers that share the embedding's weight, which then is in no file under their own name: as `Linear` modules they would
 * be taken for quantized ones, and their scales be missing.
 */
const TIED_LAYERS = ['lm_head', 'decoder', 'vocab_projector'];

function quantizationConfig(plan: Plan): object {
  const groups = new Map<string, { rule: WeightRule; modules: string[] }>();
  for (const { tensor, rule } of plan.packed) {
    const key = `${rule.granularity} ${rule.symmetric}`;
    const group = groups.get(key) ?? { rule, modules: [] };
    group.modules.push(moduleOf(tensor.name));
    groups.set(key, group);
  }
  const ignored = plan.kept.filter(({ tensor }) => tensor.name.endsWith('.weight') && tensor.shape.length === 2);
  const entries = [...groups.values()].map(({ rule, modules }, index) => [
    `group_${index}`,
    {
      // By their class where all are alike; what is not quantized is ignored by name. (The name first: compressed-tensors warns
      // of targets that match nothing that is left.)
      targets: groups.size === 1 ? [...modules.filter((name) => OUTPUT_LAYER.test(name)), 'Linear'] : modules,
      weights: codes(rule.symmetric, rule.granularity === 'per-tensor' ? 'tensor' : 'channel', false),
      input_activations: codes(rule.activations === 'symmetric', 'token', true),
      output_activations: null,
      format: 'int-quantized',
    },
  ]);
  return {
    quant_method: 'compressed-tensors',
    format: 'int-quantized',
    quantization_status: 'compressed',
    config_groups: Object.fromEntries(entries) as object,
    ignore: [...ignored.map(({ tensor }) => moduleOf(tensor.name)), ...tiedLayers(plan)],
    kv_cache_scheme: null,
  };
}

/** Patterns, as compressed-tensors has them, of what may be tied: nothing that is packed itself. */
function tiedLayers({ packed }: Plan): string[] {
  const ends = new Set(packed.map(({ tensor }) => moduleOf(tensor.name).split('.').at(-1)));
  return TIED_LAYERS.filter((layer) => !ends.has(layer)).map((layer) => `re:(.*[.])?${layer}$`);
}

function codes(symmetric: boolean, strategy: string, dynamic: boolean): object {
  return { num_bits: 8, type: 'int', symmetric, strategy, dynamic };
}

function moduleOf(name: string): string {
  return name.slice(0, -'.weight'.length);
}

function toJsonValue(value: unknown): JsonValue {
  if (Array.isArray(value)) return value.map(toJsonValue);
  if (typeof value !== 'object' || value === null) return value as JsonValue;
  return new Map(Object.entries(value).map(([key, item]) => [key, toJsonValue(item)]));
}

/** Objects without a prototype: a key may have any name. */
function fromJsonValue(value: JsonValue): unknown {
  if (Array.isArray(value)) return value.map(fromJsonValue);
  if (!(value instanceof Map)) return value;
  const object = Object.create(null) as Record<string, unknown>;
  for (const [key, item] of value) object[key] = fromJsonValue(item);
  return object;
}
