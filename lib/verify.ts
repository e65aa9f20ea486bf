import { setImmediate } from 'node:timers/promises';
import { checkPath } from './convert/options.js';
import { sourceBytes } from './convert/plan.js';
import { QgemmError, show } from './errors.js';
import { CHUNK_BYTES } from './formats/limits.js';
import { MappedFile } from './formats/mapping.js';
import { openModel } from './formats/open.js';
import { isPacked, readPackedHeader, type PackedEntry, type PackedHeader } from './formats/packed.js';
import { safetensorsTensor } from './formats/safetensors.js';
import type { ModelSource, SourceTensor } from './formats/source.js';
import { readFloat32 } from './formats/values.js';
import { Model } from './model.js';
import { native } from './native.js';
import { SCHEMES } from './schemes.js';
import { byLoss, totals, type Mismatch, type VerifiedWeight, type VerifyReport } from './verify-report.js';

/**
 * Compares a converted file with the model that it was made from: the error of every packed weight, and whether everything
 * else is there byte for byte. Tensors are read one by one; memory is bounded by the largest.
 *
 * @param original path of the model that was converted
 * @param quantized path of the file that `convert` made
 * @throws QgemmError (as a rejection) ARGUMENT, IO, FORMAT, LIMIT, PATH, DTYPE
 */
export async function verify(original: string, quantized: string): Promise<VerifyReport> {
  checkPath('original', original);
  checkPath('quantized', quantized);
  const source = openModel(original);
  try {
    if (isPacked(source.metadata)) {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `${show(original)} must be an original model, but is a file made by qgemm convert`,
      );
    }
    const file = new MappedFile(quantized, true);
    try {
      return await compare(source, file, readPackedHeader(file));
    } finally {
      file.close();
    }
  } finally {
    source.close();
  }
}

async function compare(source: ModelSource, file: MappedFile, header: PackedHeader): Promise<VerifyReport> {
  const model = new Model(file, header);
  const weights: VerifiedWeight[] = [];
  const mismatches: Mismatch[] = [];
  let kept = 0;
  for (const tensor of source.tensors.values()) {
    await setImmediate();
    const { name } = tensor;
    const packed = header.weights.get(name);
    const entry = header.kept.get(name);
    let problem: string | undefined;
    if (packed !== undefined) {
      problem = recordProblem(tensor, packed);
      if (problem === undefined) weights.push(compareWeight(tensor, packed, model));
    } else if (entry !== undefined) {
      problem = await keptProblem(tensor, safetensorsTensor(file, name, entry));
      if (problem === undefined) kept += 1;
    } else if (header.biases.has(name)) {
      problem = biasProblem(tensor, model);
    } else {
      problem = 'it is missing';
    }
    if (problem !== undefined) mismatches.push({ name, problem });
  }
  for (const name of model.tensorNames) {
    if (!source.tensors.has(name)) mismatches.push({ name, problem: 'the original does not have it' });
  }
  weights.sort(byLoss);
  return {
    original: source.path,
    quantized: file.path,
    weights,
    total: totals(weights),
    kept,
    bytesBefore: sourceBytes(source),
    bytesAfter: file.size,
    mismatches,
  };
}

function recordProblem(tensor: SourceTensor, { record }: PackedEntry): string | undefined {
  const { dtype, shape } = record.source;
  if (dtype === tensor.dtype && shape.join() === tensor.shape.join()) return undefined;
  return `it was packed from ${dtype} ${show(shape)}, the original is ${tensor.dtype} ${show(tensor.shape)}`;
}

function compareWeight(tensor: SourceTensor, { record, parts }: PackedEntry, model: Model): VerifiedWeight {
  const { n, k, scheme, source } = record;
  let original = readFloat32(tensor);
  if (source.layout === 'kn') original = transposed(original, n, k);
  const { data } = model.tensor(tensor.name);
  const { sqnr, cosine, maxError } = native.compareFloat32(original, data as Float32Array);
  let bytesAfter = 0;
  for (const part of parts.values()) bytesAfter += part.byteLength;
  return { name: tensor.name, scheme, n, k, sqnr, cosine, maxError, bytesBefore: tensor.byteLength, bytesAfter };
}

/** [K, N] as [N, K], by packing and unpacking in float32: the native core moves the data. */
function transposed(values: Float32Array<ArrayBuffer>, n: number, k: number): Float32Array<ArrayBuffer> {
  const weights = native.packFloat32(values, n, k, true, SCHEMES.indexOf('float32'), 0, true, 0, false);
  native.weightsToFloat32(weights, values);
  native.weightsDispose(weights);
  return values;
}

function biasProblem(tensor: SourceTensor, model: Model): string | undefined {
  const { data, shape } = model.tensor(tensor.name);
  if (shape.join() !== tensor.shape.join()) return `it has the shape ${show(shape)} instead of ${show(tensor.shape)}`;
  return sameBytes(bytesOf(readFloat32(tensor)), bytesOf(data)) ? undefined : 'its values differ';
}

async function keptProblem(tensor: SourceTensor, copy: SourceTensor): Promise<string | undefined> {
  if (copy.dtype !== tensor.dtype || copy.shape.join() !== tensor.shape.join()) {
    return `it is ${copy.dtype} ${show(copy.shape)} instead of ${tensor.dtype} ${show(tensor.shape)}`;
  }
  for (let position = 0; position < tensor.byteLength; position += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, tensor.byteLength - position);
    const [a, b] = [new Uint8Array(length), new Uint8Array(length)];
    tensor.readInto(a, position);
    copy.readInto(b, position);
    if (!sameBytes(a, b)) return 'its bytes differ';
    await setImmediate();
  }
  return undefined;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
