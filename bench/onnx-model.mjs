// Writes the smallest ONNX models that the peers need: one node, its weights as initializers. Protocol buffers by hand;
// field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).

const FLOAT = 1;
const INT8 = 3;

function varint(value) {
  const bytes = [];
  while (value > 127) {
    bytes.push((value % 128) | 128);
    value = Math.floor(value / 128);
  }
  bytes.push(value);
  return Buffer.from(bytes);
}

const number = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);

/** A length-delimited field: bytes, a string, or a message given as an array of fields. */
function bytes(field, content) {
  const body = Array.isArray(content) ? Buffer.concat(content) : Buffer.from(content);
  return Buffer.concat([varint(field * 8 + 2), varint(body.length), body]);
}

const raw = (view) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);

function tensor(name, type, dims, data) {
  return bytes(5, [...dims.map((dim) => number(1, dim)), number(2, type), bytes(8, name), bytes(9, raw(data))]);
}

/** A float tensor in or out of the graph; a dimension is a number or a name. */
function valueInfo(field, name, dims) {
  const shape = dims.map((dim) => bytes(1, [typeof dim === 'number' ? number(1, dim) : bytes(2, dim)]));
  return bytes(field, [bytes(1, name), bytes(2, [bytes(1, [number(1, FLOAT), bytes(2, shape)])])]);
}

function model(node, initializers, n, k) {
  const graph = [
    bytes(1, node),
    bytes(2, 'bench'),
    ...initializers,
    valueInfo(11, 'x', ['m', k]),
    valueInfo(12, 'y', ['m', n]),
  ];
  const opset = (domain, version) => bytes(8, [bytes(1, domain), number(2, version)]);
  return Buffer.concat([number(1, 8), bytes(7, graph), opset('', 17), opset('com.microsoft', 1)]);
}

const nodeFields = (inputs, op, domain) => [
  ...inputs.map((name) => bytes(1, name)),
  bytes(2, 'y'),
  bytes(3, op),
  bytes(4, op),
  bytes(7, domain),
];

/** y[m, n] = x[m, k] . w, w float32 [k, n]. */
export function matMul(w, n, k) {
  return model(nodeFields(['x', 'w'], 'MatMul', ''), [tensor('w', FLOAT, [k, n], w)], n, k);
}

/** The same with int8 weights [k, n], one scale per column, and x quantized inside the node. */
export function dynamicQuantizeMatMul(codes, scales, n, k) {
  const initializers = [
    tensor('w', INT8, [k, n], codes),
    tensor('scale', FLOAT, [n], scales),
    tensor('zero', INT8, [n], new Int8Array(n)),
  ];
  return model(nodeFields(['x', 'w', 'scale', 'zero'], 'DynamicQuantizeMatMul', 'com.microsoft'), initializers, n, k);
}
