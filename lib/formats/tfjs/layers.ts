import { isFloat } from '../dtypes.js';
import type { JsonObject, JsonValue } from '../json.js';
import type { MatmulWeight, SourceTensor } from '../source.js';

/**
 * Matmul weights of a TensorFlow.js layers model: the kernels [K, N] of its Dense layers, found by the layer's name in the
 * weight's name (`[model/]<layer>/kernel`), with the bias beside them.
 */
export function layersMatmuls(
  topology: JsonObject,
  tensors: ReadonlyMap<string, SourceTensor>,
): Map<string, MatmulWeight> {
  const dense = new Set<string>();
  collectDense(topology, dense);
  const matmuls = new Map<string, MatmulWeight>();
  for (const { name, dtype, shape } of tensors.values()) {
    const path = name.split('/');
    if (path.pop() !== 'kernel' || !dense.has(path.at(-1) ?? '')) continue;
    const [k, n] = shape;
    if (shape.length !== 2 || k === undefined || n === undefined || !isFloat(dtype)) continue;
    const bias = tensors.get([...path, 'bias'].join('/'));
    const hasBias = bias !== undefined && isFloat(bias.dtype) && bias.shape.length === 1 && bias.shape[0] === n;
    matmuls.set(name, hasBias ? { n, k, layout: 'kn', bias: bias.name } : { n, k, layout: 'kn' });
  }
  return matmuls;
}

/** Layers nest: models in models, wrappers such as TimeDistributed around layers. A name is taken from layer or config. */
function collectDense(value: JsonValue, names: Set<string>): void {
  if (Array.isArray(value)) {
    for (const item of value) collectDense(item, names);
  } else if (value instanceof Map) {
    if (value.get('class_name') === 'Dense') {
      const config = value.get('config');
      const name = config instanceof Map ? config.get('name') : undefined;
      if (typeof name === 'string') names.add(name);
    }
    collectWrapped(value, names);
    for (const item of value.values()) collectDense(item, names);
  }
}

/** The weights of a wrapped Dense layer carry the name of the wrapper. */
function collectWrapped(value: JsonObject, names: Set<string>): void {
  const config = value.get('config');
  if (!(config instanceof Map)) return;
  const inner = config.get('layer');
  const name = config.get('name');
  if (inner instanceof Map && inner.get('class_name') === 'Dense' && typeof name === 'string') names.add(name);
}
