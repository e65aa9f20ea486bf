import { setImmediate } from 'node:timers/promises';
import { QgemmError, show } from '../errors.js';
import { CHUNK_BYTES } from '../formats/limits.js';
import {
  ALIGNMENT,
  FORMAT_VERSION,
  GENERATOR_KEY,
  VERSION_KEY,
  WEIGHT_KEY_PREFIX,
  paddedN,
} from '../formats/packed.js';
import { encodeRecord } from '../formats/packed-record.js';
import { encodeSafetensorsHeader } from '../formats/safetensors.js';
import type { SourceTensor } from '../formats/source.js';
import { readFloat32 } from '../formats/values.js';
import { native } from '../native.js';
import { ACTIVATION_RANGES, GRANULARITIES, SCHEMES } from '../schemes.js';
import { version } from '../version.js';
import type { AtomicFile } from './atomic-file.js';
import type { ConvertSettings } from './options.js';
import type { PackStep, Plan } from './plan.js';

/**
 * Writes a planned file: header, then tensor by tensor. Memory is bounded by the largest weight (its float32 values, and
 * its packed arrays twice); kept tensors pass through in pieces. Between pieces the event loop runs.
 */
export async function writeModel(
  file: AtomicFile,
  plan: Plan,
  metadata: ReadonlyMap<string, string>,
  settings: ConvertSettings,
): Promise<void> {
  const { signal } = settings;
  const progress = progressOf(plan, settings);
  file.write(header(plan, metadata));
  for (const step of plan.packed) {
    await setImmediate();
    signal?.throwIfAborted();
    const arrays = packWeight(step, settings);
    for (const array of arrays) await writeInPieces(file, array, signal);
    progress(step.tensor);
    if (step.bias !== undefined && plan.biases.get(step.bias.name) === step.tensor.name) progress(step.bias);
  }
  for (const { tensor } of plan.kept) {
    await copyTensor(file, tensor, signal);
    progress(tensor);
  }
}

function header(plan: Plan, sourceMetadata: ReadonlyMap<string, string>): Uint8Array {
  // The source's own keys stay, but none of ours: a file that was converted before cannot come this far.
  const metadata = new Map([...sourceMetadata].filter(([key]) => !key.startsWith('qgemm.')));
  metadata.set(VERSION_KEY, FORMAT_VERSION);
  metadata.set(GENERATOR_KEY, `qgemm ${version}`);
  for (const { tensor, record } of plan.packed) metadata.set(WEIGHT_KEY_PREFIX + tensor.name, encodeRecord(record));
  const entries = [
    ...plan.packed.flatMap(({ parts }) => [...parts.values()]),
    ...plan.kept.map(({ tensor }) => tensor),
  ];
  return encodeSafetensorsHeader(metadata, entries, ALIGNMENT);
}

/** Packs one weight; returns its arrays in the order of the file. */
function packWeight({ tensor, weight, parts, bias }: PackStep, settings: ConvertSettings): Uint8Array[] {
  const { scheme, granularity, symmetric, activations, nonFinite } = settings;
  let packed: ReturnType<typeof native.weightsExport>;
  try {
    const weights = native.packFloat32(
      readFloat32(tensor),
      weight.n,
      weight.k,
      weight.layout === 'kn',
      SCHEMES.indexOf(scheme),
      GRANULARITIES.indexOf(granularity),
      symmetric,
      ACTIVATION_RANGES.indexOf(activations),
      nonFinite === 'error',
    );
    packed = native.weightsExport(weights);
    native.weightsDispose(weights);
  } catch (error) {
    throw packError(tensor.name, error);
  }
  const arrays = {
    panels: packed.panels,
    scales: packed.scales,
    column_sums: packed.columnSums,
    zero_points: packed.zeroPoints,
    bias: bias === undefined ? null : readFloat32(bias, new Float32Array(paddedN(weight.n))),
  };
  return [...parts].map(([part, entry]) => {
    const array = arrays[part];
    if (array?.byteLength !== entry.byteLength)
      throw new Error(`${entry.name}: packed ${array?.byteLength} bytes, planned ${entry.byteLength}`);
    return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  });
}

/** The native core knows no names. */
function packError(name: string, error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  if (code === 'ERR_QGEMM_RANGE') {
    return new QgemmError(
      'ERR_QGEMM_RANGE',
      `tensor ${show(name)} must hold finite values, but has NaN or an infinity (nonFinite: 'clip', --non-finite clip on the command line, accepts them)`,
      { cause: error },
    );
  }
  if (code === 'ERR_QGEMM_OUT_OF_MEMORY' && !(error instanceof QgemmError)) {
    return new QgemmError('ERR_QGEMM_OUT_OF_MEMORY', `there is not enough memory to pack tensor ${show(name)}`, {
      cause: error,
    });
  }
  return error;
}

async function writeInPieces(file: AtomicFile, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  for (let position = 0; position < bytes.length; position += CHUNK_BYTES) {
    signal?.throwIfAborted();
    file.write(bytes.subarray(position, position + CHUNK_BYTES));
    await setImmediate();
  }
}

async function copyTensor(file: AtomicFile, tensor: SourceTensor, signal: AbortSignal | undefined): Promise<void> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, tensor.byteLength));
  for (let position = 0; position < tensor.byteLength; position += CHUNK_BYTES) {
    signal?.throwIfAborted();
    const piece = buffer.subarray(0, Math.min(CHUNK_BYTES, tensor.byteLength - position));
    tensor.readInto(piece, position);
    file.write(piece);
    await setImmediate();
  }
}

function progressOf(plan: Plan, { onProgress }: ConvertSettings): (tensor: SourceTensor) => void {
  if (onProgress === undefined) return () => undefined;
  const biases = plan.packed.flatMap(({ bias, tensor }) =>
    bias && plan.biases.get(bias.name) === tensor.name ? [bias] : [],
  );
  const tensors = [...plan.packed, ...plan.kept].map(({ tensor }) => tensor).concat(biases);
  const bytesTotal = tensors.reduce((bytes, tensor) => bytes + tensor.byteLength, 0);
  let tensorsDone = 0;
  let bytesDone = 0;
  return (tensor) => {
    tensorsDone += 1;
    bytesDone += tensor.byteLength;
    onProgress({ tensor: tensor.name, tensorsDone, tensorsTotal: tensors.length, bytesDone, bytesTotal });
  };
}
