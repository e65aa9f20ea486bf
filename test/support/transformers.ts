import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openModel } from '../../lib/formats/open.js';
import { readFloat32 } from '../../lib/formats/values.js';
import { parseSafetensors, temporaryFolder } from './safetensors.js';

/** A folder that `convert` wrote, and what it was made from. */
export interface Conversion {
  readonly original: string;
  readonly converted: string;
  /** What it runs on; random token ids by default. */
  readonly texts?: readonly string[];
}

/** What transformers makes of it. */
export interface Loaded {
  /** Layers that are int8 when they have been loaded. */
  readonly int8: number;
  /** Least cosine of an output to that of the original: int8 weights, and activations quantized as well. */
  readonly weights: number;
  readonly activations: number;
  /** The decompressed weights of all linear layers, by name. */
  readonly values: ReadonlyMap<string, Float32Array>;
}

/** Loads and runs folders with transformers (scripts/interop/load_transformers.py), in one process. */
export function loadWithTransformers(conversions: readonly Conversion[]): Loaded[] {
  const python = process.env['QGEMM_TEST_PYTHON'];
  if (python === undefined) throw new Error('npm run test:interop and npm run test:models make the Python environment');
  const folder = temporaryFolder();
  const items = conversions.map(({ original, converted, texts = [] }, i) => {
    return { original, converted, texts, values: join(folder, `${i}.safetensors`) };
  });
  const script = join(__dirname, '../../scripts/interop/load_transformers.py');
  const output = execFileSync(python, ['-W', 'ignore', script, JSON.stringify(items)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const loaded = JSON.parse(output) as Omit<Loaded, 'values'>[];
  return loaded.map((one, i) => ({ ...one, values: valuesOf(items[i]!.values) }));
}

function valuesOf(path: string): Map<string, Float32Array> {
  const { tensors } = parseSafetensors(readFileSync(path));
  return new Map([...tensors].map(([name, { bytes }]) => [name, new Float32Array(new Uint8Array(bytes).buffer)]));
}

/**
 * Expects all quantized weights of a folder to be among those that transformers has, with the values that we read.
 *
 * @returns the names of its linear layers that the folder does not have
 */
export function expectSameValues(folder: string, values: Loaded['values']): string[] {
  const source = openModel(folder);
  const others: string[] = [];
  for (const [name, floats] of values) {
    const ours = source.tensors.get(name);
    if (ours === undefined) others.push(name);
    else expect(Buffer.from(readFloat32(ours).buffer).equals(Buffer.from(floats.buffer)), name).toBe(true);
  }
  for (const name of source.matmuls.keys()) expect(values.has(name), name).toBe(true);
  source.close();
  return others;
}
