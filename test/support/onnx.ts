import { bytesOf, values } from './safetensors.js';

/** A value of a protobuf field: an integer is a varint, text and bytes have a length, `f32` is four bytes. */
export type ProtoValue = number | bigint | string | Uint8Array | { f32: number };

export type ProtoEntry = readonly [field: number, value: ProtoValue];

export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

/** A protobuf message, written as its specification reads, with none of the library's code. */
export function message(...fields: ProtoEntry[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([number, value]) => {
      if (typeof value === 'number' || typeof value === 'bigint') return [varint(number * 8), varint(value)];
      if (typeof value === 'object' && 'f32' in value)
        return [varint(number * 8 + 5), bytesOf(Float32Array.of(value.f32))];
      const bytes = Buffer.from(value as string);
      return [varint(number * 8 + 2), varint(bytes.length), bytes];
    }),
  );
}

export const FLOAT = 1;
export const UINT8 = 2;
export const INT8 = 3;
export const INT32 = 6;
export const INT64 = 7;
export const FLOAT16 = 10;

const dimsOf = (dims: readonly number[]): [number, ProtoValue][] => dims.map((dim) => [1, dim]);

/** A TensorProto with raw_data. */
export function rawTensor(name: string, dataType: number, dims: readonly number[], data: ArrayBufferView): Buffer {
  return message(...dimsOf(dims), [2, dataType], [8, name], [9, bytesOf(data)]);
}

/** A TensorProto of floats drawn at random. */
export function floatTensor(name: string, dims: readonly number[], seed = 1): Buffer {
  const size = dims.reduce((a, b) => a * b, 1);
  return rawTensor(name, FLOAT, dims, values(size, seed));
}

/** A TensorProto with values in a typed field: floats packed, everything else as packed varints. */
export function typedTensor(
  name: string,
  dataType: number,
  dims: readonly number[],
  field: number,
  data: Float32Array | Float64Array | readonly (number | bigint)[],
): Buffer {
  const bytes = ArrayBuffer.isView(data) ? bytesOf(data) : Buffer.concat(data.map((value) => varint(value)));
  return message(...dimsOf(dims), [2, dataType], [8, name], [field, bytes]);
}

export function externalTensor(
  name: string,
  dataType: number,
  dims: readonly number[],
  entries: Record<string, string>,
): Buffer {
  const external = Object.entries(entries).map(([key, value]) => [13, message([1, key], [2, value])] as const);
  return message(...dimsOf(dims), [2, dataType], [8, name], ...external, [14, 1]);
}

/** An attribute of a node: an integer, a list of them, a float, a tensor or a graph. */
export type OnnxTestAttribute = number | number[] | { f32: number } | { tensor: Buffer } | { graph: Buffer };

export function attribute(name: string, value: OnnxTestAttribute): Buffer {
  if (typeof value === 'number') return message([1, name], [3, value], [20, 2]);
  if (Array.isArray(value)) return message([1, name], ...value.map((item) => [8, item] as const), [20, 7]);
  if ('f32' in value) return message([1, name], [2, value], [20, 1]);
  if ('tensor' in value) return message([1, name], [5, value.tensor], [20, 4]);
  return message([1, name], [6, value.graph], [20, 5]);
}

export interface OnnxTestNode {
  op: string;
  in: string[];
  out: string[];
  name?: string;
  domain?: string;
  attributes?: Record<string, OnnxTestAttribute>;
}

export function nodeProto({ op, in: inputs, out, name = '', domain, attributes = {} }: OnnxTestNode): Buffer {
  return message(
    ...inputs.map((input) => [1, input] as const),
    ...out.map((output) => [2, output] as const),
    [3, name],
    [4, op],
    ...Object.entries(attributes).map(([key, value]) => [5, attribute(key, value)] as const),
    ...(domain === undefined ? [] : [[7, domain] as const]),
  );
}

export interface OnnxTestGraph {
  nodes?: (OnnxTestNode | Buffer)[];
  tensors?: Buffer[];
  inputs?: string[];
  outputs?: string[];
}

export function graphProto({ nodes = [], tensors = [], inputs = [], outputs = [] }: OnnxTestGraph): Buffer {
  return message(
    ...nodes.map((node) => [1, Buffer.isBuffer(node) ? node : nodeProto(node)] as const),
    [2, 'graph'],
    ...tensors.map((tensor) => [5, tensor] as const),
    ...inputs.map((name) => [11, message([1, name])] as const),
    ...outputs.map((name) => [12, message([1, name])] as const),
  );
}

/** An ONNX model around a graph. */
export function onnxBytes(graph: OnnxTestGraph | Buffer, opset = 17, ...more: ProtoEntry[]): Buffer {
  return message(
    [1, 8],
    [2, 'test'],
    [7, Buffer.isBuffer(graph) ? graph : graphProto(graph)],
    [8, message([1, ''], [2, opset])],
    ...more,
  );
}
