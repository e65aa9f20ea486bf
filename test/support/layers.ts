// Layers whose oracle is known: int8 weights that were made as codes.
import { Linear, PackedWeights, type LinearOptions, type OutputDType, type QuantizedTensor } from '../../lib/index.js';
import type { ReferenceWeights } from '../reference/linear.js';
import { randomFloats, randomIntegers } from './random.js';

export interface KnownWeights {
  packed: PackedWeights;
  reference: ReferenceWeights;
}

/** Random weights [n, k], per channel; `asymmetric`: with zero points. */
export function knownWeights(n: number, k: number, seed: number, asymmetric = false): KnownWeights {
  const data = Int8Array.from(randomIntegers(n * k, -128, 127, seed));
  const scales = randomFloats(n, seed + 1).map((value) => 0.002 + Math.abs(value) / 50);
  const zeroPoints = Int32Array.from(
    asymmetric ? randomIntegers(n, -128, 127, seed + 2) : new Array<number>(n).fill(0),
  );
  const q: QuantizedTensor = { data, shape: [n, k], dtype: 'int8', scales, zeroPoints, axis: 0 };
  return { packed: PackedWeights.from(q), reference: { n, k, codes: data, scales, zeroPoints } };
}

/** A layer on known weights. */
export function knownLayer<D extends OutputDType = 'float32'>(w: KnownWeights, options?: LinearOptions<D>): Linear<D> {
  return new Linear<D>(w.packed, options);
}
