import { isFloat, type Dtype } from './formats/dtypes.js';
import { readTensor, type SourceTensor } from './formats/source.js';
import { readFloat32 } from './formats/values.js';

/** Values of a tensor, as the typed array that fits its dtype. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** A copy of one tensor of a model. */
export interface ModelTensor {
  /** Row-major. F16 and BF16 as float32 (exact), BOOL as bytes 0 and 1, 8-bit and narrower floats and C64 as raw bytes. */
  readonly data: TensorData;
  readonly shape: readonly number[];
  /** The dtype in the source, in safetensors spelling. */
  readonly dtype: Dtype;
}

type View = new (buffer: ArrayBuffer) => TensorData;

const VIEWS: ReadonlyMap<Dtype, View> = new Map<Dtype, View>([
  ['F64', Float64Array],
  ['I64', BigInt64Array],
  ['U64', BigUint64Array],
  ['I32', Int32Array],
  ['U32', Uint32Array],
  ['I16', Int16Array],
  ['U16', Uint16Array],
  ['I8', Int8Array],
]);

/** Reads a whole tensor into new memory. */
export function copyTensor(tensor: SourceTensor): ModelTensor {
  const { dtype, shape } = tensor;
  if (isFloat(dtype)) return { data: readFloat32(tensor), shape: [...shape], dtype };
  const bytes = readTensor(tensor);
  const type = VIEWS.get(dtype);
  return { data: type === undefined ? bytes : new type(bytes.buffer), shape: [...shape], dtype };
}
