import { basename, extname } from 'node:path';
import { QgemmError, show } from '../../errors.js';
import { native } from '../../native.js';
import { dtypeBits, elementsOf } from '../dtypes.js';
import { encodeGgufHeader, ggufPadded, ggufString, ggufUint32, type GgufOutput } from './encode.js';
import { GGUF_ALIGNMENT_KEY } from './header.js';
import { GgufTensor } from './tensor.js';
import { ggufTypeByName, type GgufType } from './types.js';
import { GgufModel } from './reader.js';
import { CHUNK_BYTES, MAX_GGUF_STRING_BYTES } from '../limits.js';
import type { ModelSource, SourceTensor } from '../source.js';
import {
  bytesStep,
  type ModelWriter,
  type OutputLayout,
  type OutputSink,
  type OutputStep,
  type Plan,
  type WeightStep,
} from '../writer.js';

/**
 * GGUF of version 3, for ggml and its kin: weights in Q8_0 or F16, everything else as it was. Tensors keep names, shapes and
 * order. A GGUF source keeps its keys, and what it holds in the wanted type already is copied.
 */
export const ggufWriter: ModelWriter = { format: 'gguf', schemes: ['q8_0', 'float16'], folder: false, layout };

const Q8_0 = ggufTypeByName('Q8_0')!;
const F16 = ggufTypeByName('F16')!;

/** Values that are converted at a time: whole blocks. */
const PIECE = CHUNK_BYTES / 4;

/** The numbers of general.file_type, by the type of most weights. */
const FILE_TYPES: ReadonlyMap<GgufType | undefined, number> = new Map([
  [undefined, 0],
  [F16, 1],
  [Q8_0, 7],
]);
const FILE_TYPE_KEY = 'general.file_type';
const QUANTIZATION_VERSION_KEY = 'general.quantization_version';
const QUANTIZATION_VERSION = 2;

interface Output extends GgufOutput {
  readonly tensor: SourceTensor;
  /** How a weight is to be stored; undefined for a tensor that is kept. */
  readonly step: WeightStep | undefined;
}

function layout(source: ModelSource, plan: Plan): OutputLayout {
  const weights = new Map(plan.packed.map((step) => [step.tensor.name, step]));
  const outputs = [...source.tensors.values()].map((tensor) => describe(tensor, weights.get(tensor.name)));
  const header = encodeGgufHeader(keysOf(source, outputs), outputs);
  const steps = [bytesStep('header', header), ...outputs.map(outputStep)];
  const weightBytes = new Map(outputs.map(({ name, byteLength }) => [name, byteLength]));
  return { files: [{ name: 'model.gguf', steps }], weightBytes };
}

function describe(tensor: SourceTensor, step: WeightStep | undefined): Output {
  const type = step === undefined ? keptType(tensor) : weightType(tensor, step);
  const byteLength = (elementsOf(tensor.shape) / type.blockElements) * type.blockBytes;
  return { name: tensor.name, type, shape: tensor.shape, byteLength, tensor, step };
}

/** Rows that Q8_0 has no whole blocks for are stored as F16, as ggml's own tools do. */
function weightType({ shape }: SourceTensor, { rule }: WeightStep): GgufType {
  return rule.scheme === 'q8_0' && shape.at(-1)! % Q8_0.blockElements === 0 ? Q8_0 : F16;
}

function keptType(tensor: SourceTensor): GgufType {
  if (tensor instanceof GgufTensor) return tensor.type;
  const type = ggufTypeByName(tensor.dtype === 'BOOL' ? 'I8' : tensor.dtype);
  if (type !== undefined) return type;
  throw new QgemmError(
    'ERR_QGEMM_DTYPE',
    `tensor ${show(tensor.name)} must have a dtype that GGUF has (F64, F32, F16, BF16, I64, I32, I16, I8, BOOL), got ${tensor.dtype}`,
  );
}

function keysOf(source: ModelSource, outputs: readonly Output[]): Uint8Array[] {
  const keys = source instanceof GgufModel ? source.readKeys() : minimalKeys(source);
  // The data of this file has the alignment that goes without saying, and is in one piece.
  for (const key of keys.keys()) if (key === GGUF_ALIGNMENT_KEY || key.startsWith('split.')) keys.delete(key);
  const types = outputs.filter(({ step }) => step !== undefined).map(({ type }) => type);
  const type = types.includes(Q8_0) ? Q8_0 : types[0];
  if (type !== undefined || !keys.has(FILE_TYPE_KEY)) {
    keys.set(FILE_TYPE_KEY, ggufUint32(FILE_TYPE_KEY, FILE_TYPES.get(type)!));
  }
  keys.set(QUANTIZATION_VERSION_KEY, ggufUint32(QUANTIZATION_VERSION_KEY, QUANTIZATION_VERSION));
  return [...keys.values()];
}

/** What a file must have. No architecture is claimed: names and shapes are those of another format. */
function minimalKeys(source: ModelSource): Map<string, Uint8Array> {
  const name = basename(source.path, extname(source.path));
  const texts = new Map([
    ['general.architecture', 'unknown'],
    ['general.name', name],
  ]);
  for (const [key, value] of source.metadata) {
    if (Buffer.byteLength(value) <= MAX_GGUF_STRING_BYTES) texts.set(`source.${key}`, value);
  }
  return new Map([...texts].map(([key, value]) => [key, ggufString(key, value)]));
}

function outputStep(output: Output): OutputStep {
  const { name, byteLength, tensor } = output;
  return {
    name: `tensor ${name}`,
    byteLength: ggufPadded(byteLength),
    tensors: [tensor],
    async write(sink): Promise<void> {
      await (isStoredSo(output) ? copy(output, sink) : encode(output, sink));
      await sink.write(new Uint8Array(ggufPadded(byteLength) - byteLength));
    },
  };
}

/** Whether the source has the very bytes of the output. */
function isStoredSo({ tensor, type, step }: Output): boolean {
  return step === undefined || (tensor instanceof GgufTensor ? tensor.type === type : tensor.dtype === type.plain);
}

async function copy({ tensor, byteLength }: Output, sink: OutputSink): Promise<void> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, byteLength));
  for (let position = 0; position < byteLength; position += CHUNK_BYTES) {
    const piece = buffer.subarray(0, Math.min(CHUNK_BYTES, byteLength - position));
    if (tensor instanceof GgufTensor) tensor.readStored(piece, position);
    else tensor.readInto(piece, position);
    await sink.write(piece);
  }
}

async function encode({ tensor, type, step }: Output, sink: OutputSink): Promise<void> {
  const elements = elementsOf(tensor.shape);
  const values = new Float32Array(Math.min(PIECE, elements));
  const encoded = new Uint8Array(Math.ceil(values.length / type.blockElements) * type.blockBytes);
  const clip = !step!.rule.rejectNonFinite;
  for (let first = 0; first < elements; first += PIECE) {
    const piece = values.subarray(0, Math.min(PIECE, elements - first));
    readFloats(tensor, first, piece);
    const bytes = encoded.subarray(0, (piece.length / type.blockElements) * type.blockBytes);
    const done = type === Q8_0 ? native.ggufQuantizeQ8(piece, clip, bytes) : native.toFloat16(piece, clip, bytes);
    if (!done) throw notRepresentable(tensor, type);
    await sink.write(bytes);
  }
}

/** Some values of a float tensor, from the `first`-th on. */
function readFloats(tensor: SourceTensor, first: number, out: Float32Array<ArrayBuffer>): void {
  const size = dtypeBits(tensor.dtype) / 8;
  if (size === 4) {
    tensor.readInto(new Uint8Array(out.buffer, out.byteOffset, out.byteLength), first * size);
    return;
  }
  const bytes = new Uint8Array(out.length * size);
  tensor.readInto(bytes, first * size);
  native.toFloat32(bytes, tensor.dtype, out);
}

function notRepresentable({ name }: SourceTensor, type: GgufType): QgemmError {
  const range = type === Q8_0 ? 'whose scales float16 can hold' : 'that float16 can hold';
  return new QgemmError(
    'ERR_QGEMM_RANGE',
    `tensor ${show(name)} must hold finite values ${range}, but has others (nonFinite: 'clip', --non-finite clip on the command line, accepts them)`,
  );
}
