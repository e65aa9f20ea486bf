import { bytesField, bytesHeader, textField, varintField } from './protobuf-encode.js';

/** Numbers of TensorProto.DataType. */
export const ONNX_FLOAT = 1;
export const ONNX_INT8 = 3;
export const ONNX_FLOAT16 = 10;
export const ONNX_BFLOAT16 = 16;

const NODE_FIELD = 1;
const INITIALIZER_FIELD = 5;
const INT_ATTRIBUTE = 2;

/** An initializer of a graph up to its data: `length` bytes of raw_data follow. */
export function encodeInitializer(name: string, dataType: number, dims: readonly number[], length: number): Uint8Array {
  const fields = Buffer.concat([
    ...dims.map((dim) => varintField(1, dim)),
    varintField(2, dataType),
    textField(8, name),
    bytesHeader(9, length),
  ]);
  return Buffer.concat([bytesHeader(INITIALIZER_FIELD, fields.length + length), fields]);
}

/** A node of a graph with one output and at most one attribute, an integer. */
export function encodeNode(
  op: string,
  inputs: readonly string[],
  output: string,
  attribute?: readonly [name: string, value: number],
): Uint8Array {
  return bytesField(
    NODE_FIELD,
    ...inputs.map((input) => textField(1, input)),
    textField(2, output),
    textField(3, `${output}_${op}`),
    textField(4, op),
    ...(attribute === undefined ? [] : [encodeAttribute(...attribute)]),
  );
}

function encodeAttribute(name: string, value: number): Uint8Array {
  return bytesField(5, textField(1, name), varintField(3, value), varintField(20, INT_ATTRIBUTE));
}
