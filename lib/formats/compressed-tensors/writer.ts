import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { QgemmError, show } from '../../errors.js';
import { compressedConfig } from './config.js';
import { copyFileStep, copyStep } from '../copy-step.js';
import { encodeSafetensorsHeader, type OutputEntry } from '../safetensors/header.js';
import type { ModelSource } from '../source.js';
import { codeBlocks } from '../weight-blocks.js';
import {
  bytesStep,
  type ModelWriter,
  type OutputFile,
  type OutputLayout,
  type OutputStep,
  type Plan,
  type WeightStep,
} from '../writer.js';

/**
 * A Hugging Face folder in the format of compressed-tensors ("int-quantized"), which vLLM and transformers load: int8
 * weights [N, K] with a scale per channel or tensor, everything else as it was, and config.json with what they need to know.
 */
export const compressedWriter: ModelWriter = {
  format: 'compressed-tensors',
  schemes: ['int8'],
  folder: true,
  layout,
};

/** What a folder from Hugging Face holds beside its weights: tokenizers, templates, settings. */
const COMPANION = /\.(?:json|txt|model|jinja)$/;
const REPLACED = /^(?:config\.json|.*\.index\.json)$/;

/** Folders of sentence-transformers' modules, such as 1_Pooling, and what lies in them. */
const MODULE_FOLDER = /^[0-9]+_[A-Za-z]+$/;
const MODULE_FILE = /\.(?:json|safetensors)$/;

function layout(source: ModelSource, plan: Plan): OutputLayout {
  for (const step of plan.packed) checkWeight(step);
  const weights = plan.packed.map((step) => ({ step, parts: partsOf(step) }));
  const kept = plan.kept.map(({ tensor }) => tensor);
  // A bias is a tensor of its own here.
  const biases = [...plan.biases.keys()].map((name) => source.tensors.get(name)!);
  const entries: OutputEntry[] = [...weights.flatMap(({ parts }) => parts), ...kept, ...biases];
  checkNames(entries);
  // transformers wants to know which framework has written a file.
  const metadata = new Map(source.metadata).set('format', 'pt');
  const steps = [
    bytesStep('header', encodeSafetensorsHeader(metadata, entries, 8)),
    ...weights.map(({ step, parts }) => weightStep(step, parts)),
    ...[...kept, ...biases].map(copyStep),
  ];
  const weightBytes = new Map(weights.map(({ step, parts }) => [step.tensor.name, totalBytes(parts)]));
  return { files: [{ name: 'model.safetensors', steps }, ...companions(source, plan)], weightBytes };
}

function checkWeight({ tensor, weight, codesKept }: WeightStep): void {
  const problem = !tensor.name.endsWith('.weight')
    ? 'must have a name that ends in ".weight"'
    : weight.layout !== 'nk'
      ? 'must be stored [N, K]'
      : codesKept && weight.quantized!.codes.dtype !== 'I8'
        ? 'must have int8 codes to keep them (--requantize makes such)'
        : undefined;
  if (problem === undefined) return;
  throw new QgemmError(
    'ERR_QGEMM_ARGUMENT',
    `tensor ${show(tensor.name)} ${problem} in compressed-tensors: exclude it to keep it as it is`,
  );
}

function partsOf({ tensor, weight: { n, k }, rule }: WeightStep): OutputEntry[] {
  const values = rule.granularity === 'per-tensor' ? [1] : [n, 1];
  const parts: OutputEntry[] = [
    { name: tensor.name, dtype: 'I8', shape: [n, k], byteLength: n * k },
    { name: `${tensor.name}_scale`, dtype: 'F32', shape: values, byteLength: values[0]! * 4 },
  ];
  if (!rule.symmetric) {
    parts.push({ name: `${tensor.name}_zero_point`, dtype: 'I8', shape: values, byteLength: values[0]! });
  }
  return parts;
}

function checkNames(entries: readonly OutputEntry[]): void {
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name))
      throw new QgemmError('ERR_QGEMM_FORMAT', `two tensors of the output would be named ${show(name)}: exclude one`);
    names.add(name);
  }
}

function totalBytes(parts: readonly OutputEntry[]): number {
  return parts.reduce((bytes, part) => bytes + part.byteLength, 0);
}

function weightStep(step: WeightStep, parts: readonly OutputEntry[]): OutputStep {
  return {
    name: step.tensor.name,
    byteLength: totalBytes(parts),
    tensors: [step.tensor],
    async write(sink): Promise<void> {
      const { n } = step.weight;
      const [scales, zeroPoints] = [new Float32Array(n), new Int8Array(n)];
      for await (const { row, codes, scales: some, zeroPoints: points } of codeBlocks(step)) {
        await sink.write(new Uint8Array(codes.buffer, codes.byteOffset, codes.length));
        scales.set(some, row);
        zeroPoints.set(points, row);
      }
      const count = parts[1]!.shape[0]!;
      await sink.write(new Uint8Array(scales.buffer, 0, count * 4));
      if (parts.length > 2) await sink.write(new Uint8Array(zeroPoints.buffer, 0, count));
    },
  };
}

/** config.json, and what else a folder from Hugging Face holds. */
function companions(source: ModelSource, plan: Plan): OutputFile[] {
  const folder = dirname(source.files[0]!);
  const names = new Set(readdirSync(folder));
  const config = compressedConfig(names.has('config.json') ? join(folder, 'config.json') : undefined, plan);
  const files: OutputFile[] = [{ name: 'config.json', steps: [bytesStep('config.json', config)] }];
  if (!isModelFolder(source, names)) return files;
  const copied = [...names].filter((name) => COMPANION.test(name) && !REPLACED.test(name)).sort();
  for (const name of [...copied, ...moduleFiles(folder, names)]) {
    const step = copyFileStep(join(folder, name));
    if (step !== undefined) files.push({ name, steps: [step] });
  }
  return files;
}

function moduleFiles(folder: string, names: ReadonlySet<string>): string[] {
  if (!names.has('modules.json')) return [];
  const folders = [...names].filter((name) => MODULE_FOLDER.test(name) && statSync(join(folder, name)).isDirectory());
  return folders
    .sort()
    .flatMap((name) => readdirSync(join(folder, name)).map((file) => `${name}/${file}`))
    .filter((name) => MODULE_FILE.test(name));
}

function isModelFolder(source: ModelSource, names: ReadonlySet<string>): boolean {
  return names.has('config.json') && source.files.every((file) => names.has(basename(file)));
}
