import { setImmediate } from 'node:timers/promises';
import { storedBytes } from './stored-bytes.js';
import { ErrorStats } from './error-stats.js';
import type { PackedWeight } from './formats/converted.js';
import { elementsOf } from './formats/dtypes.js';
import type { SourceTensor } from './formats/source.js';
import { BLOCK_ELEMENTS } from './formats/limits.js';
import { readFloat32Range } from './formats/values.js';
import { floatBlocks } from './formats/weight-blocks.js';
import { native } from './native.js';
import { SCHEMES } from './schemes.js';
import type { VerifiedWeight } from './verify-report.js';

/** Values that are compared at a time: 4 MB of float32 on each side. */
const PIECE = 2 ** 20;

/** The error of a packed weight, over all its values. */
export async function measurePacked(
  tensor: SourceTensor,
  weight: PackedWeight,
  histograms: boolean,
): Promise<VerifiedWeight> {
  const { n, k, scheme, source } = weight.record;
  const stats = new ErrorStats();
  const { layout } = source;
  for await (const { row, rows, values } of floatBlocks({ tensor, weight: { n, k, layout } }, BLOCK_ELEMENTS)) {
    stats.add(layout === 'kn' ? transposed(values, rows, k) : values, weight.readRows(row, rows));
    await setImmediate();
  }
  return verified(tensor, { scheme, n, k, bytes: weight.bytes }, stats, histograms);
}

/** The error of a tensor that its file presents as floats of the same shape. */
export async function measurePlain(
  tensor: SourceTensor,
  copy: SourceTensor,
  stored: { type: string; byteLength: number },
  histograms: boolean,
): Promise<VerifiedWeight> {
  const stats = new ErrorStats();
  const elements = elementsOf(tensor.shape);
  for (let first = 0; first < elements; first += PIECE) {
    const count = Math.min(PIECE, elements - first);
    stats.add(readFloat32Range(tensor, first, count), readFloat32Range(copy, first, count));
    await setImmediate();
  }
  const k = tensor.shape.at(-1) ?? 1;
  return verified(
    tensor,
    { scheme: stored.type, n: k > 0 ? elements / k : 0, k, bytes: stored.byteLength },
    stats,
    histograms,
  );
}

function verified(
  tensor: SourceTensor,
  { scheme, n, k, bytes }: { scheme: string; n: number; k: number; bytes: number },
  stats: ErrorStats,
  histograms: boolean,
): VerifiedWeight {
  const { name, shape, dtype } = tensor;
  return {
    name,
    scheme,
    shape,
    dtype,
    n,
    k,
    ...stats.figures,
    bytesBefore: storedBytes(tensor),
    bytesAfter: bytes,
    bitsPerWeight: (8 * bytes) / Math.max(1, elementsOf(shape)),
    ...(histograms && { histograms: { weights: stats.values, errors: stats.errors } }),
  };
}

/** [K, N] as [N, K], by packing and unpacking in float32: the native core moves the data. */
function transposed(values: Float32Array<ArrayBuffer>, n: number, k: number): Float32Array<ArrayBuffer> {
  const weights = native.packFloat32(values, n, k, true, SCHEMES.indexOf('float32'), 0, true, 0, false);
  native.weightsToFloat32(weights, values);
  native.weightsDispose(weights);
  return values;
}
