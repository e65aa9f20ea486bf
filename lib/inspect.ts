import { checkPath } from './check.js';
import { FileSource } from './formats/file.js';
import { openModel } from './formats/open.js';
import { isPacked, readPackedHeader, type PackedHeader } from './formats/packed/reader.js';
import type { PackedRecord } from './formats/packed/record.js';
import type { MatmulWeight, ModelSource } from './formats/source.js';

/** How a weight is multiplied by. */
export interface InspectedMatmul {
  readonly n: number;
  readonly k: number;
  readonly layout: 'nk' | 'kn';
  readonly bias?: string;
  /** What shares a scale, where the file holds the weight in 8 bits already. */
  readonly quantized?: 'per-channel' | 'per-tensor';
}

/** One tensor of an inspected model. */
export interface InspectedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes in the file. */
  readonly bytes: number;
  /** The form that the file has it in, where that is no dtype, such as `Q4_K`: it is read as `dtype`. */
  readonly storedAs?: string;
  /** Whether `convert` would pack it by default: how it is multiplied by. Not in converted files. */
  readonly matmul?: InspectedMatmul;
}

/** A packed weight of a converted file. */
export interface InspectedWeight extends PackedRecord {
  readonly name: string;
  /** Bytes of all its arrays. */
  readonly bytes: number;
}

/** What `inspect` found. */
export interface InspectReport {
  readonly path: string;
  /** What its reader calls it, such as `safetensors` or `tfjs-graph`, or `qgemm` for a converted file. */
  readonly format: string;
  readonly files: readonly string[];
  /** Bytes of all tensors. */
  readonly bytes: number;
  readonly tensors: readonly InspectedTensor[];
  /** Packed weights of a converted file; empty for others. */
  readonly weights: readonly InspectedWeight[];
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Lists what a model holds, and validates it as strictly as `convert` does: every range, every shard, every size. Takes
 * what `convert` takes, and what it makes. Tensors are not read.
 *
 * @throws QgemmError ARGUMENT, IO, FORMAT, LIMIT, PATH, DTYPE
 */
export function inspect(path: string): InspectReport {
  checkPath('path', path);
  const source = openModel(path);
  try {
    const packed = isPacked(source.metadata) ? packedHeader(source) : undefined;
    const tensors = tensorsOf(source, packed !== undefined);
    return {
      path,
      format: packed === undefined ? source.format : 'qgemm',
      files: source.files,
      bytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
      tensors,
      weights: packed === undefined ? [] : weightsOf(packed),
      metadata: source.metadata,
    };
  } finally {
    source.close();
  }
}

function packedHeader(source: ModelSource): PackedHeader {
  const file = new FileSource(source.files.at(-1)!);
  try {
    return readPackedHeader(file);
  } finally {
    file.release();
  }
}

function tensorsOf(source: ModelSource, packed: boolean): InspectedTensor[] {
  return [...source.tensors.values()].map(({ name, dtype, shape, byteLength, stored }) => {
    const matmul = packed ? undefined : source.matmuls.get(name);
    const bytes = stored?.byteLength ?? byteLength;
    return {
      name,
      dtype,
      shape,
      bytes,
      ...(stored && { storedAs: stored.type }),
      ...(matmul && { matmul: describe(matmul) }),
    };
  });
}

function describe({ quantized, ...matmul }: MatmulWeight): InspectedMatmul {
  return quantized === undefined ? matmul : { ...matmul, quantized: quantized.granularity };
}

function weightsOf(header: PackedHeader): InspectedWeight[] {
  return [...header.weights].map(([name, { record, parts }]) => {
    let bytes = 0;
    for (const part of parts.values()) bytes += part.byteLength;
    return { name, ...record, bytes };
  });
}
