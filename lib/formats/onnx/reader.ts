import { resolve } from 'node:path';
import { show } from '../../errors.js';
import { isFloat } from '../dtypes.js';
import { dequantizedTensor } from '../dequantized.js';
import type { FileSource } from '../file.js';
import { ExternalFiles } from './external.js';
import { onnxScopes, type OnnxConstant, type OnnxScope } from './graph.js';
import { onnxMatmuls } from './matmuls.js';
import { readOnnxModel } from './proto.js';
import { ONNX_STRING, onnxTensor } from './tensor.js';
import { ProtoReader } from './protobuf.js';
import type { MatmulWeight, ModelSource, SourceTensor } from '../source.js';

/** The structure of an ONNX model, for who writes it again. */
export interface OnnxDocument {
  readonly file: FileSource;
  /** Version of ONNX's own operators. */
  readonly opset: number;
  readonly scopes: readonly OnnxScope[];
  /** By the names of the source's tensors. */
  readonly constants: ReadonlyMap<string, OnnxConstant>;
  readonly external: ExternalFiles;
}

export interface OnnxSource extends ModelSource {
  readonly document: OnnxDocument;
}

/** Numbers of the fields of ModelProto. */
const MODEL_FIELDS = new Set([1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26]);

/**
 * Whether a file begins as an ONNX model does. Protobuf has no signature: writers begin with ir_version, a small number,
 * and then comes a field that ModelProto has.
 */
export function looksLikeOnnx(start: Uint8Array): boolean {
  const [tag, version, next] = start;
  if (tag !== 0x08 || version === undefined || version === 0 || version > 0x7f || next === undefined) return false;
  if (next < 0x80 && !MODEL_FIELDS.has(next >> 3)) return false;
  const wire = next & 7;
  // A safetensors header of such a length has zero bytes here.
  return (wire === 0 || wire === 2) && start.subarray(3).some((byte) => byte !== 0);
}

/**
 * An ONNX model: initializers and Constant nodes of all its graphs. Weights that nodes multiply by are found in the graphs,
 * those in 8-bit codes with their scales too. String tensors are left out; `onnx.omitted` in the metadata counts them.
 *
 * @throws QgemmError FORMAT, LIMIT, DTYPE, PATH, IO
 */
export function openOnnx(path: string, file: FileSource): OnnxSource {
  const model = readOnnxModel(new ProtoReader(file, `ONNX model ${show(file.path)}`), file.size);
  const scopes = onnxScopes(model);
  const external = new ExternalFiles(file.path);
  const tensors = new Map<string, SourceTensor>();
  const metadata = new Map(model.producer);
  let omitted = 0;
  const constants = new Map([...constantsOf(scopes)].map((constant) => [constant.name, constant] as const));
  for (const { name, tensor } of constants.values()) {
    if (tensor.dataType === ONNX_STRING) omitted += 1;
    else tensors.set(name, onnxTensor(name, tensor, file, external));
  }
  if (omitted > 0) metadata.set('onnx.omitted', `${omitted} string tensors`);

  const { matmuls, renamed, absorbed } = onnxMatmuls(scopes, tensors);
  for (const name of absorbed) tensors.delete(name);
  for (const [codes, name] of renamed) {
    tensors.delete(codes);
    constants.set(name, constants.get(codes)!);
    constants.delete(codes);
  }
  for (const [name, weight] of matmuls) {
    if (weight.quantized !== undefined) tensors.set(name, valuesOf(name, weight));
  }
  return {
    format: 'onnx',
    document: { file, opset: model.opset, scopes, constants, external },
    path,
    files: [file, ...external.files].map((source) => resolve(source.path)),
    tensors,
    metadata,
    matmuls,
    asMatmul: (name) => matmuls.get(name) ?? asMatmul(tensors.get(name)),
    close: () => {
      file.release();
      external.release();
    },
  };
}

function* constantsOf(scopes: readonly OnnxScope[]): Generator<OnnxConstant> {
  for (const scope of scopes) yield* scope.constants.values();
}

function valuesOf(name: string, { layout, quantized }: MatmulWeight): SourceTensor {
  const { dtype: type, byteLength } = quantized!.codes;
  return { ...dequantizedTensor(name, quantized!, layout === 'nk' ? 0 : 1), stored: { type, byteLength } };
}

/** ONNX's MatMul takes [K, N]; filters of 1x1 convolutions are [N, K, 1, 1]. */
function asMatmul(tensor: SourceTensor | undefined): MatmulWeight | undefined {
  if (tensor === undefined || !isFloat(tensor.dtype)) return undefined;
  const [rows, columns, ...rest] = tensor.shape;
  if (rows === undefined || columns === undefined || rest.some((dim) => dim !== 1)) return undefined;
  return rest.length === 0 ? { n: columns, k: rows, layout: 'kn' } : { n: rows, k: columns, layout: 'nk' };
}
