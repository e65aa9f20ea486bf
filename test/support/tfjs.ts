import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bytesOf } from './safetensors.js';

export interface TfjsWeight {
  name: string;
  shape: number[];
  dtype: string;
  quantization?: { dtype: string; scale?: number; min?: number; original_dtype?: string };
  data: ArrayBufferView;
}

/** A node of a graph model. */
export interface GraphNode {
  name: string;
  op: string;
  input?: string[];
  attr?: Record<string, unknown>;
}

export function graphTopology(node: GraphNode[], functions: { nodeDef: GraphNode[] }[] = []): Record<string, unknown> {
  return { node, library: { function: functions }, versions: {} };
}

export function denseLayer(name: string, units: number): Record<string, unknown> {
  return { class_name: 'Dense', config: { name, units } };
}

/** Writes files into a folder; returns the path of the first. */
export function writeFiles(folder: string, files: Record<string, string | Uint8Array>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return join(folder, Object.keys(files)[0]!);
}

/** The files of a TensorFlow.js model: weights of one group, cut into shards of `shardBytes`. */
export function tfjsFiles(
  topology: unknown,
  weights: TfjsWeight[],
  shardBytes = Infinity,
): Record<string, string | Uint8Array> {
  const data = Buffer.concat(weights.map(({ data }) => bytesOf(data)));
  const count = Math.max(1, Math.ceil(data.length / shardBytes));
  const paths = Array.from({ length: count }, (_, i) => `group1-shard${i + 1}of${count}.bin`);
  const manifest = weights.map(({ name, shape, dtype, quantization }) => ({
    name,
    shape,
    dtype,
    ...(quantization && { quantization }),
  }));
  const files: Record<string, string | Uint8Array> = {
    'model.json': JSON.stringify({ modelTopology: topology, weightsManifest: [{ paths, weights: manifest }] }),
  };
  paths.forEach((path, i) => {
    files[path] = count === 1 ? data : data.subarray(i * shardBytes, (i + 1) * shardBytes);
  });
  return files;
}
