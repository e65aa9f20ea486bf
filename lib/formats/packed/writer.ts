import { QgemmError, show } from '../../errors.js';
import { native } from '../../native.js';
import { ACTIVATION_RANGES, SCHEMES, type Scheme } from '../../schemes.js';
import { version } from '../../version.js';
import { copyStep } from '../copy-step.js';
import {
  ALIGNMENT,
  FORMAT_VERSION,
  GENERATOR_KEY,
  VERSION_KEY,
  WEIGHT_KEY_PREFIX,
  packedParts,
  paddedK,
  paddedN,
  type PartName,
} from './reader.js';
import { encodeRecord, type PackedRecord } from './record.js';
import { encodeSafetensorsHeader, type OutputEntry } from '../safetensors/header.js';
import type { ModelSource } from '../source.js';
import { readFloat32 } from '../values.js';
import { codeBlocks, floatBlocks, notFinite } from '../weight-blocks.js';
import {
  bytesStep,
  type ModelWriter,
  type OutputLayout,
  type OutputSink,
  type OutputStep,
  type Plan,
  type WeightStep,
} from '../writer.js';

/** The format of `loadModel`: docs/file-format.md. */
export const packedWriter: ModelWriter = { format: 'safetensors', schemes: SCHEMES, folder: false, layout };

interface PackedWeight {
  readonly step: WeightStep;
  readonly record: PackedRecord;
  readonly parts: ReadonlyMap<PartName, OutputEntry>;
  readonly byteLength: number;
}

function layout(source: ModelSource, plan: Plan): OutputLayout {
  const weights = plan.packed.map(describe);
  const kept = plan.kept.map(({ tensor }) => tensor);
  const entries: OutputEntry[] = [...weights.flatMap(({ parts }) => [...parts.values()]), ...kept];
  checkNames(entries);
  // The source's own keys stay, but none of ours: a file that was converted before cannot come this far.
  const metadata = new Map([...source.metadata].filter(([key]) => !key.startsWith('qgemm.')));
  metadata.set(VERSION_KEY, FORMAT_VERSION);
  metadata.set(GENERATOR_KEY, `qgemm ${version}`);
  for (const { step, record } of weights) metadata.set(WEIGHT_KEY_PREFIX + step.tensor.name, encodeRecord(record));
  const header = encodeSafetensorsHeader(metadata, entries, ALIGNMENT);
  const steps = [
    bytesStep('header', header),
    ...weights.map((weight) => packStep(weight, plan)),
    ...kept.map(copyStep),
  ];
  return {
    files: [{ name: 'model.safetensors', steps }],
    weightBytes: new Map(weights.map(({ step, byteLength }) => [step.tensor.name, byteLength])),
  };
}

function describe(step: WeightStep): PackedWeight {
  const { tensor, weight, rule, bias } = step;
  const record: PackedRecord = {
    scheme: rule.scheme as Scheme,
    n: weight.n,
    k: weight.k,
    granularity: rule.granularity,
    symmetric: rule.symmetric,
    activations: rule.activations,
    source: { dtype: tensor.dtype, shape: tensor.shape, layout: weight.layout },
    ...(bias && { bias: { name: bias.name, dtype: bias.dtype } }),
  };
  const parts = packedParts(tensor.name, record);
  let byteLength = 0;
  for (const part of parts.values()) byteLength += part.byteLength;
  return { step, record, parts, byteLength };
}

/** The names of the arrays of packed weights are ours; a source may use them for something else. */
function checkNames(entries: readonly OutputEntry[]): void {
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `two tensors of the output would be named ${show(name)}: exclude the weight that it is packed for`,
      );
    }
    names.add(name);
  }
}

function packStep({ step, parts, byteLength }: PackedWeight, plan: Plan): OutputStep {
  const { tensor, bias, rule } = step;
  const owned = bias !== undefined && plan.biases.get(bias.name) === tensor.name ? [bias] : [];
  const write = rule.scheme === 'int8' ? writeCodes : writeFloats;
  return {
    name: tensor.name,
    byteLength,
    tensors: [tensor, ...owned],
    async write(sink): Promise<void> {
      await write(step, parts, sink);
      if (bias !== undefined) await sink.write(bytesOf(readFloat32(bias, new Float32Array(paddedN(step.weight.n)))));
    },
  };
}

/** Panels block by block, then what there is one of per column. */
async function writeCodes(
  step: WeightStep,
  parts: ReadonlyMap<PartName, OutputEntry>,
  sink: OutputSink,
): Promise<void> {
  const { n, k, layout } = step.weight;
  const np = paddedN(n);
  const [scales, columnSums, zeroPoints] = [new Float32Array(np), new Int32Array(np), new Int32Array(np)];
  let panels = new Uint8Array(0);
  for await (const block of codeBlocks(step)) {
    const { row, rows, codes } = block;
    const length = paddedN(rows) * paddedK(k);
    if (panels.length < length) panels = new Uint8Array(length);
    const used = panels.subarray(0, length);
    native.packCodes(codes, rows, k, layout === 'kn', used, columnSums.subarray(row, row + paddedN(rows)));
    scales.set(block.scales, row);
    zeroPoints.set(signedZeroPoints(block.codes, block.zeroPoints), row);
    await sink.write(used);
  }
  await sink.write(bytesOf(scales));
  await sink.write(bytesOf(columnSums));
  if (parts.has('zero_points')) await sink.write(bytesOf(zeroPoints));
}

/** uint8 codes are stored minus 128, and so are their zero points: the same numbers. */
function signedZeroPoints(codes: Int8Array | Uint8Array, zeroPoints: Int32Array): Int32Array {
  return codes instanceof Uint8Array ? zeroPoints.map((zeroPoint) => zeroPoint - 128) : zeroPoints;
}

async function writeFloats(step: WeightStep, _: ReadonlyMap<PartName, OutputEntry>, sink: OutputSink): Promise<void> {
  const { k, layout } = step.weight;
  const scheme = SCHEMES.indexOf('float32');
  const activations = ACTIVATION_RANGES.indexOf(step.rule.activations);
  const ends = new Float32Array(2);
  for await (const { rows, values } of floatBlocks(step)) {
    if (!native.extendRange(values, ends) && step.rule.rejectNonFinite) throw notFinite(step);
    const weights = native.packFloat32(values, rows, k, layout === 'kn', scheme, 0, true, activations, false);
    const { panels } = native.weightsExport(weights);
    native.weightsDispose(weights);
    await sink.write(panels);
  }
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
