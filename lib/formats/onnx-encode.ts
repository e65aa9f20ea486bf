import { bytesField, textField, varintField, type Chunk } from './protobuf-edit.js';

/** Numbers of TensorProto.DataType. */
export const ONNX_FLOAT = 1;
export const ONNX_INT8 = 3;
export const ONNX_FLOAT16 = 10;
export const ONNX_BFLOAT16 = 16;

const NODE_FIELD = 1;
const INITIALIZER_FIELD = 5;
const INT_ATTRIBUTE = 2;

/** An initializer of a graph with the given bytes as raw_data. */
export function encodeInitializer(name: string, dataType: number, dims: readonly number[], data: Chunk): Chunk[] {
  return bytesField(
    INITIALIZER_FIELD,
    ...dims.map((dim) => varintField(1, dim)),
    varintField(2, dataType),
    textField(8, name),
    ...bytesField(9, data),
  );
}

/** A node of a graph with one output and at most one attribute, an integer. */
export function encodeNode(
  op: string,
  inputs: readonly string[],
  output: string,
  attribute?: readonly [name: string, value: number],
): Chunk[] {
  const attributes = attribute === undefined ? [] : encodeAttribute(...attribute);
  return bytesField(
    NODE_FIELD,
    ...inputs.map((input) => textField(1, input)),
    textField(2, output),
    textField(3, `${output}_${op}`),
    textField(4, op),
    ...attributes,
  );
}

function encodeAttribute(name: string, value: number): Chunk[] {
  return bytesField(5, textField(1, name), varintField(3, value), varintField(20, INT_ATTRIBUTE));
}
