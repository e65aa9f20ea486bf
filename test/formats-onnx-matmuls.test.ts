import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../lib/formats/open.js';
import { readTensor, type MatmulWeight } from '../lib/formats/source.js';
import { convert, inspect, loadModel } from '../lib/index.js';
import {
  FLOAT,
  INT32,
  INT8,
  UINT8,
  floatTensor,
  graphProto,
  onnxBytes,
  rawTensor,
  type OnnxTestNode,
} from './support/onnx.js';
import { temporaryFolder, values } from './support/safetensors.js';

const int8 = (name: string, dims: number[]): Buffer =>
  rawTensor(
    name,
    INT8,
    dims,
    Int8Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => (i * 37) % 256),
  );
const node = (
  op: string,
  inputs: string,
  output: string,
  attributes: OnnxTestNode['attributes'] = {},
): OnnxTestNode => {
  const [name, domain] = op.split('@') as [string, string?];
  const ins = inputs.split(' ').map((input) => (input === '-' ? '' : input));
  return { op: name, in: ins, out: [output], attributes, ...(domain !== undefined && { domain }) };
};

function write(nodes: OnnxTestNode[], tensors: Buffer[], outputs = ['y']): string {
  const path = join(temporaryFolder(), 'model');
  writeFileSync(path, onnxBytes({ nodes, tensors, inputs: ['x'], outputs }));
  return path;
}

/** What is found, with codes, scales and zero points read. */
function matmuls(nodes: OnnxTestNode[], tensors: Buffer[], outputs?: string[]): Record<string, unknown> {
  const source = openModel(write(nodes, tensors, outputs));
  const shown = ({ quantized, ...weight }: MatmulWeight): unknown =>
    quantized === undefined
      ? weight
      : {
          ...weight,
          granularity: quantized.granularity,
          scales: [...quantized.readScales()],
          zeroPoints: quantized.readZeroPoints() && [...quantized.readZeroPoints()!],
        };
  const found = [...source.matmuls].map(([name, weight]) => [name, shown(weight)] as const);
  source.close();
  return Object.fromEntries(found);
}

const kn = { n: 5, k: 3, layout: 'kn' };
const nk = { n: 3, k: 5, layout: 'nk' };
const w = floatTensor('w', [3, 5]);

describe('float weights of ONNX graphs', () => {
  it.each<[string, OnnxTestNode[], object]>([
    ['MatMul', [node('MatMul', 'x w', 'y')], kn],
    ['Gemm', [node('Gemm', 'x w', 'y')], kn],
    ['Gemm with transB', [node('Gemm', 'x w', 'y', { transB: 1 })], nk],
    ['Identity before', [node('Identity', 'w', 'i'), node('MatMul', 'x i', 'y')], kn],
    ['Transpose before', [node('Transpose', 'w', 't', { perm: [1, 0] }), node('MatMul', 'x t', 'y')], nk],
    ['Transpose without perm', [node('Transpose', 'w', 't'), node('MatMul', 'x t', 'y')], nk],
    ['Transpose and transB', [node('Transpose', 'w', 't'), node('Gemm', 'x t', 'y', { transB: 1 })], kn],
    ['Cast before', [node('Cast', 'w', 'c', { to: 10 }), node('MatMul', 'x c', 'y')], kn],
    ['FusedMatMul', [node('FusedMatMul@com.microsoft', 'x w', 'y', { transB: 1 })], nk],
    ['two products', [node('MatMul', 'x w', 'y'), node('MatMul', 'z w', 'u')], kn],
  ])('%s', (_, nodes, expected) => {
    expect(matmuls(nodes, [w])).toEqual({ w: expected });
  });

  it.each<[string, OnnxTestNode[]]>([
    ['the first operand', [node('MatMul', 'w x', 'y')]],
    ['a factor alpha', [node('Gemm', 'x w', 'y', { alpha: { f32: 0.5 } })]],
    ['a factor beta', [node('Gemm', 'x w', 'y', { beta: { f32: 2 } })]],
    ['a transposed left side', [node('Gemm', 'x w', 'y', { transA: 1 })]],
    ['another operator', [node('Mul', 'x w', 'y')]],
    ['an operator of another domain', [node('MatMul@custom', 'x w', 'y')]],
    ['a permutation of one', [node('Transpose', 'w', 't', { perm: [0, 1] }), node('MatMul', 'x t', 'y')]],
    ['a lookup too', [node('MatMul', 'x w', 'y'), node('Gather', 'w i', 'z')]],
    [
      'a lookup of what is transposed',
      [node('Transpose', 'w', 't'), node('MatMul', 'x t', 'y'), node('Gather', 't i', 'z')],
    ],
    ['both ways round', [node('MatMul', 'x w', 'y'), node('Gemm', 'y w', 'z', { transB: 1 })]],
    ['a cycle', [node('Identity', 'b', 'a'), node('Identity', 'a', 'b'), node('MatMul', 'x a', 'y')]],
    ['a cast to integers', [node('Cast', 'w', 'c', { to: 6 }), node('MatMul', 'x c', 'y')]],
  ])('%s is no product to pack for', (_, nodes) => {
    expect(matmuls(nodes, [w])).toEqual({});
  });

  it('an output of the graph stays as it is', () => {
    expect(matmuls([node('MatMul', 'x w', 'y')], [w], ['y', 'w'])).toEqual({});
  });

  it('filters of 1x1 convolutions of any number of dimensions, without groups', () => {
    const nodes = ['a', 'b', 'c', 'd'].map((name) =>
      node('Conv', `x ${name}`, `${name}y`, { group: name === 'd' ? 2 : 1 }),
    );
    const tensors = [
      floatTensor('a', [4, 3, 1, 1]),
      floatTensor('b', [4, 3, 1]),
      floatTensor('c', [4, 3, 1, 3]),
      floatTensor('d', [4, 3, 1, 1]),
    ];
    const found = { n: 4, k: 3, layout: 'nk' };
    expect(matmuls(nodes, tensors)).toEqual({ a: found, b: found });
  });

  it('biases: the third input, or what an Add adds to the product alone', () => {
    const b = floatTensor('b', [5]);
    const biased = { w: { ...kn, bias: 'b' } };
    expect(matmuls([node('Gemm', 'x w b', 'y')], [w, b])).toEqual(biased);
    expect(matmuls([node('MatMul', 'x w', 'p'), node('Add', 'p b', 'y')], [w, b])).toEqual(biased);
    expect(matmuls([node('MatMul', 'x w', 'p'), node('Add', 'b p', 'y')], [w, b])).toEqual(biased);
    // The product without the bias is used too; the sum is with no constant; the constant is no vector of N.
    expect(matmuls([node('MatMul', 'x w', 'p'), node('Add', 'p b', 'y'), node('Relu', 'p', 'z')], [w, b])).toEqual({
      w: kn,
    });
    expect(matmuls([node('MatMul', 'x w', 'p'), node('Add', 'p b', 'y')], [w, b], ['y', 'p'])).toEqual({ w: kn });
    expect(matmuls([node('MatMul', 'x w', 'p'), node('Add', 'p x', 'y')], [w])).toEqual({ w: kn });
    expect(matmuls([node('Gemm', 'x w b', 'y')], [w, floatTensor('b', [1, 5])])).toEqual({ w: kn });
    expect(matmuls([node('Gemm', 'x w b', 'y')], [w, floatTensor('b', [1])])).toEqual({ w: kn });
    const two = [node('Gemm', 'x w b', 'y'), node('Gemm', 'x w c', 'z')];
    expect(matmuls(two, [w, b, floatTensor('c', [5])])).toEqual({ w: kn });
  });

  it('weights of an outer graph that a graph inside multiplies by', () => {
    const inner = graphProto({ nodes: [node('MatMul', 'x w', 'i')], outputs: ['i'] });
    const choose = node('If', 'c', 'y', { then_branch: { graph: inner } });
    expect(matmuls([choose], [w])).toEqual({ w: kn });
    expect(matmuls([choose, node('Gather', 'w i', 'z')], [w])).toEqual({});
  });

  it('the user may name any other matrix', () => {
    const source = openModel(write([], [w, floatTensor('f', [4, 3, 1, 1]), floatTensor('v', [4])]));
    expect(source.asMatmul('w')).toEqual(kn);
    expect(source.asMatmul('f')).toEqual({ n: 4, k: 3, layout: 'nk' });
    expect(source.asMatmul('v')).toBeUndefined();
    source.close();
  });

  it('converts: [K, N] gives the same layer as [N, K] transposed', async () => {
    const path = write([node('Gemm', 'x w b', 'y')], [w, floatTensor('b', [5], 7)]);
    const output = join(temporaryFolder(), 'out.safetensors');
    await convert(path, output, { scheme: 'float32' });
    const model = loadModel(output);
    const [x, weights, bias] = [values(3, 9), values(15), values(5, 7)];
    const expected = Array.from({ length: 5 }, (_, n) => {
      const sum = x.reduce((total, value, k) => Math.fround(total + value * weights[k * 5 + n]!), 0);
      return Math.fround(sum + bias[n]!);
    });
    model
      .linear('w')
      .forward(x)
      .forEach((value, n) => expect(value).toBeCloseTo(expected[n]!, 6));
    model.close();
  });
});

describe('weights of ONNX graphs in 8-bit codes', () => {
  const scalar = rawTensor('s', FLOAT, [], Float32Array.of(0.5));
  const vector = rawTensor('s', FLOAT, [5], Float32Array.of(1, 2, 3, 4, 5));
  const rows = rawTensor('s', FLOAT, [3], Float32Array.of(1, 2, 3));
  const zero = rawTensor('z', INT8, [], Int8Array.of(0));
  const zeros = rawTensor('z', INT8, [5], Int8Array.of(-1, 0, 1, 2, 3));
  const codes = int8('w', [3, 5]);
  const perTensor = { granularity: 'per-tensor', scales: [0.5], zeroPoints: null };
  const perChannel = { granularity: 'per-channel', scales: [1, 2, 3, 4, 5], zeroPoints: null };
  const dequantize = (axis: number): OnnxTestNode[] => [
    node('DequantizeLinear', 'w s z', 'd', { axis }),
    node('MatMul', 'x d', 'y'),
  ];
  const scaled = (last: string): OnnxTestNode[] => [
    node('MatMulInteger', 'x w xz z', 'sums'),
    node('Cast', 'sums', 'floats', { to: 1 }),
    node('Mul', 'xs s', 'factor'),
    node('Mul', last, 'y'),
  ];

  it.each<[string, OnnxTestNode[], Buffer[], object]>([
    ['DequantizeLinear per tensor', dequantize(1), [codes, scalar, zero], { ...kn, ...perTensor }],
    ['DequantizeLinear per column', dequantize(1), [codes, vector, zero], { ...kn, ...perChannel }],
    [
      'DequantizeLinear by the last axis',
      dequantize(-1),
      [codes, vector, zeros],
      { ...kn, ...perChannel, zeroPoints: [-1, 0, 1, 2, 3] },
    ],
    [
      'DequantizeLinear without zero point, transposed',
      [node('DequantizeLinear', 'w s', 'd', { axis: 0 }), node('Transpose', 'd', 't'), node('MatMul', 'x t', 'y')],
      [codes, rows],
      { ...nk, ...perChannel, scales: [1, 2, 3] },
    ],
    [
      'a cast and a factor for each column',
      [node('Cast', 'w', 'c', { to: 1 }), node('Mul', 'c s', 'd'), node('MatMul', 'x d', 'y')],
      [codes, rawTensor('s', FLOAT, [1, 5], Float32Array.of(1, 2, 3, 4, 5))],
      { ...kn, ...perChannel },
    ],
    ['MatMulInteger', scaled('floats factor'), [codes, scalar, zero], { ...kn, ...perTensor }],
    [
      'MatMulInteger, factors the other way round',
      scaled('factor floats'),
      [codes, vector, zeros],
      { ...kn, ...perChannel, zeroPoints: [-1, 0, 1, 2, 3] },
    ],
    [
      'DynamicQuantizeMatMul',
      [node('DynamicQuantizeMatMul@com.microsoft', 'x w s - b', 'y')],
      [codes, vector, floatTensor('b', [5])],
      { ...kn, ...perChannel, bias: 'b' },
    ],
    [
      'MatMulIntegerToFloat',
      [node('MatMulIntegerToFloat@com.microsoft', 'x w xs s xz z', 'y')],
      [codes, scalar, zero],
      { ...kn, ...perTensor },
    ],
    [
      'QLinearMatMul',
      [node('QLinearMatMul', 'x xs xz w s z ys yz', 'y')],
      [codes, scalar, zero],
      { ...kn, ...perTensor },
    ],
    [
      'QGemm',
      [node('QGemm@com.microsoft', 'x xs xz w s z', 'y', { transB: 1 })],
      [codes, rows, zero],
      { ...nk, ...perChannel, scales: [1, 2, 3] },
    ],
    [
      'QLinearConv',
      [node('QLinearConv', 'x xs xz w s z ys yz', 'y')],
      [int8('w', [5, 3, 1, 1]), vector, zero],
      { n: 5, k: 3, layout: 'nk', ...perChannel },
    ],
  ])('%s', (_, nodes, tensors, expected) => {
    expect(matmuls(nodes, tensors)).toEqual({ w: expected });
  });

  it('scales along K, and what is no constant, leave the codes as they are', () => {
    expect(matmuls(dequantize(0), [codes, rows, zero])).toEqual({});
    expect(matmuls(dequantize(1), [codes, vector])).toEqual({});
    expect(
      matmuls(
        [node('DequantizeLinear', 'w s z', 'd', { block_size: 1 }), node('MatMul', 'x d', 'y')],
        [codes, vector, zero],
      ),
    ).toEqual({});
    expect(matmuls(dequantize(1), [codes, vector, rawTensor('z', UINT8, [], Uint8Array.of(0))])).toEqual({});
    expect(matmuls(dequantize(1), [rawTensor('w', INT32, [3, 5], new Int32Array(15)), vector])).toEqual({});
    expect(matmuls([...scaled('floats factor'), node('Relu', 'floats', 'q')], [codes, scalar, zero])).toEqual({});
  });

  it('the weight reads as its values, its codes as they are, and scales are no tensors of their own', () => {
    for (const { nodes, tensors, valueOf } of [
      {
        nodes: dequantize(1),
        tensors: [codes, vector, zeros],
        valueOf: (code: number, i: number) => (code - ((i % 5) - 1)) * ((i % 5) + 1),
      },
      {
        nodes: [node('DequantizeLinear', 'w s', 'd', { axis: 0 }), node('Gemm', 'x d', 'y', { transB: 1 })],
        tensors: [codes, rows],
        valueOf: (code: number, i: number) => code * (Math.floor(i / 5) + 1),
      },
    ]) {
      const source = openModel(write(nodes, tensors));
      expect([...source.tensors.keys()]).toEqual(['w']);
      const { quantized } = source.matmuls.get('w')!;
      const stored = new Int8Array(readTensor(quantized!.codes).buffer);
      const expected = Float32Array.from(stored, valueOf);
      const tensor = source.tensors.get('w')!;
      expect(new Float32Array(readTensor(tensor).buffer)).toEqual(expected);
      const part = new Float32Array(6);
      tensor.readInto(new Uint8Array(part.buffer), 16);
      expect(part).toEqual(expected.subarray(4, 10));
      source.close();
    }
  });

  it('inspect says what is in codes already', () => {
    const { tensors } = inspect(write(dequantize(1), [codes, vector, zeros]));
    expect(tensors).toEqual([
      {
        name: 'w',
        dtype: 'F32',
        storedAs: 'I8',
        shape: [3, 5],
        bytes: 15,
        matmul: { ...kn, quantized: 'per-channel' },
      },
    ]);
  });

  it('a scale that something else uses too stays a tensor', () => {
    const source = openModel(write([...dequantize(1), node('Abs', 's', 'other')], [codes, vector, zero]));
    expect([...source.tensors.keys()]).toEqual(['w', 's']);
    source.close();
  });
});
