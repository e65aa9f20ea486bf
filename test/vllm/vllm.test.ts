import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { convert, type ConvertOptions } from '../../lib/index.js';
import { temporaryFolder } from '../support/safetensors.js';

/** What scripts/interop/load_vllm.py says of a folder. */
interface Loaded {
  readonly layers: Readonly<Record<string, readonly [scheme: string, kernel: string]>>;
  readonly tensors: number;
  readonly wrong: readonly string[];
  readonly float: readonly number[][];
  readonly int8: readonly number[][];
  readonly vllm: readonly number[][];
}

// Layers: fused attention inputs and outputs, fused and other feed-forward weights of two blocks, and the output layer.
// Tensors: 14 weights of the blocks and that of the output layer, each with its scales; an embedding; 5 norms.
const cases: { name: string; layers: number; tensors: number; options: ConvertOptions }[] = [
  { name: 'llama', layers: 9, tensors: 36, options: {} },
  { name: 'llama-tied', layers: 8, tensors: 34, options: { activations: 'symmetric' } },
  { name: 'llama', layers: 9, tensors: 36, options: { granularity: 'per-tensor' } },
  { name: 'llama', layers: 6, tensors: 31, options: { exclude: ['lm_head.weight', '*.1.self_attn.*'] } },
];

function load(folders: readonly string[]): Loaded[] {
  const python = process.env['QGEMM_TEST_PYTHON'];
  if (python === undefined) throw new Error('npm run test:vllm makes the Python environment');
  const script = join(__dirname, '../../scripts/interop/load_vllm.py');
  const output = execFileSync(python, ['-W', 'ignore', script, JSON.stringify(folders)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(output.trim().split('\n').at(-1)!) as Loaded[];
}

/** Root of the mean square of the differences. */
function distance(a: readonly number[][], b: readonly number[][]): number {
  const squares = a.flatMap((row, i) => row.map((value, j) => (value - b[i]![j]!) ** 2));
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
}

it('vLLM loads every tensor of what convert --format compressed-tensors writes, and computes with it in int8', async () => {
  const target = temporaryFolder();
  const folders = cases.map((_, i) => join(target, `${i}`));
  for (const [i, { name, options }] of cases.entries()) {
    const original = join(__dirname, '../../.cache/vllm', name);
    await convert(original, folders[i]!, { format: 'compressed-tensors', ...options });
  }
  for (const [i, { layers, wrong, tensors, vllm, float, int8 }] of load(folders).entries()) {
    const { name, options, ...expected } = cases[i]!;
    const what = `${name} ${JSON.stringify(options)}`;
    expect({ layers: Object.keys(layers).length, tensors }, what).toEqual(expected);
    expect(wrong, what).toEqual([]);
    expect(new Set(Object.values(layers).map(([scheme]) => scheme)), what).toEqual(
      new Set(['CompressedTensorsW8A8Int8']),
    );
    // 45 positions, 160 tokens. vLLM rounds activations too, not always as compressed-tensors does (symmetric ones to amax / 127):
    // both lie as far from the exact activations, by different roundings.
    expect([vllm.length, vllm[0]!.length], what).toEqual([45, 160]);
    expect(distance(vllm, float), what).toBeLessThan(1.5 * distance(int8, float));
    expect(distance(int8, float), what).toBeLessThan(0.05);
  }
});
