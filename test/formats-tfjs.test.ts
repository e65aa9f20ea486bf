import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../lib/formats/open.js';
import { readTensor, type ModelSource } from '../lib/formats/source.js';
import { bytesOf, temporaryFolder, values } from './support/safetensors.js';
import { denseLayer, graphTopology, tfjsFiles, writeFiles, type GraphNode, type TfjsWeight } from './support/tfjs.js';

function open(topology: unknown, weights: TfjsWeight[], shardBytes?: number): ModelSource {
  return openModel(writeFiles(temporaryFolder(), tfjsFiles(topology, weights, shardBytes)));
}

const weight = (name: string, shape: number[]): TfjsWeight => ({
  name,
  shape,
  dtype: 'float32',
  data: values(shape.reduce((a, b) => a * b, 1)),
});
const constant = (name: string): GraphNode => ({ name, op: 'Const' });

describe('weights of TensorFlow.js models', () => {
  const weights: TfjsWeight[] = [
    { name: 'f', shape: [3], dtype: 'float32', data: values(3) },
    { name: 'i', shape: [2], dtype: 'int32', data: Int32Array.of(-1, 7) },
    { name: 'b', shape: [3], dtype: 'bool', data: Uint8Array.of(1, 0, 1) },
    { name: 'empty', shape: [0], dtype: 'float32', data: new Float32Array(0) },
    {
      name: 'h',
      shape: [2],
      dtype: 'float32',
      data: Uint16Array.of(0x3c00, 0xc000),
      quantization: { dtype: 'float16', original_dtype: 'float32' },
    },
    {
      name: 'q8',
      shape: [2, 2],
      dtype: 'float32',
      data: Uint8Array.of(0, 1, 128, 255),
      quantization: { dtype: 'uint8', scale: 0.1, min: -3.3 },
    },
    {
      name: 'q16',
      shape: [3],
      dtype: 'float32',
      data: Uint16Array.of(0, 1, 65535),
      quantization: { dtype: 'uint16', scale: 1e-4, min: -1 },
    },
    {
      name: 'qi',
      shape: [4],
      dtype: 'int32',
      data: Uint8Array.of(0, 1, 2, 3),
      quantization: { dtype: 'uint8', scale: 0.5, min: -1 },
    },
    { name: 's', shape: [], dtype: 'float32', data: Float32Array.of(2.5) },
  ];
  // The formulas of tfjs-core's decodeWeights, in JavaScript's own arithmetic.
  const expected: Record<string, ArrayBufferView> = {
    f: values(3),
    i: Int32Array.of(-1, 7),
    b: Uint8Array.of(1, 0, 1),
    empty: new Float32Array(0),
    h: Uint16Array.of(0x3c00, 0xc000),
    q8: Float32Array.from([0, 1, 128, 255], (code) => code * 0.1 - 3.3),
    q16: Float32Array.from([0, 1, 65535], (code) => code * 1e-4 - 1),
    qi: Int32Array.from([0, 1, 2, 3], (code) => Math.round(code * 0.5 - 1)),
    s: Float32Array.of(2.5),
  };

  it.each([Infinity, 64, 7, 1])('in files of %s bytes', (shardBytes) => {
    const source = open(graphTopology([]), weights, shardBytes);
    for (const [name, data] of Object.entries(expected)) {
      expect(Buffer.from(readTensor(source.tensors.get(name)!)), name).toEqual(bytesOf(data));
    }
    const dtypes = [...source.tensors.values()].map(({ dtype }) => dtype);
    expect(dtypes).toEqual(['F32', 'I32', 'BOOL', 'F32', 'F16', 'F32', 'F32', 'I32', 'F32']);
    source.close();
  });

  it('a part of a quantized tensor is read as the same part of its values', () => {
    const codes = Uint8Array.from({ length: 64 }, (_, i) => i);
    const source = open(graphTopology([]), [
      { name: 'q', shape: [64], dtype: 'float32', data: codes, quantization: { dtype: 'uint8', scale: 2, min: 1 } },
    ]);
    const part = new Float32Array(4);
    source.tensors.get('q')!.readInto(new Uint8Array(part.buffer), 40);
    expect([...part]).toEqual([21, 23, 25, 27]);
    source.close();
  });
});

describe('matmul weights of graph models', () => {
  it('second operands of MatMul, stored [K, N] or transposed [N, K]', () => {
    const source = open(
      graphTopology([
        constant('w'),
        constant('t'),
        constant('first'),
        { name: 'x', op: 'Placeholder' },
        { name: 'm1', op: 'MatMul', input: ['x', 'w'], attr: { transpose_b: { b: false } } },
        { name: 'm2', op: 'MatMul', input: ['^x', 'm1:0', 't:0'], attr: { transpose_b: { b: true } } },
        { name: 'm3', op: 'MatMul', input: ['first', 'm2'] },
        { name: 'm4', op: 'BatchMatMul', input: ['x', 'first'] },
      ]),
      [weight('w', [3, 5]), weight('t', [4, 5]), weight('first', [2, 2])],
    );
    expect(source.format).toBe('tfjs-graph');
    expect(Object.fromEntries(source.matmuls)).toEqual({
      w: { n: 5, k: 3, layout: 'kn' },
      t: { n: 4, k: 5, layout: 'nk' },
    });
    source.close();
  });

  it('filters of 1x1 Conv2D, and of no other', () => {
    const source = open(
      graphTopology([
        constant('one'),
        constant('three'),
        constant('deep'),
        { name: 'c1', op: 'Conv2D', input: ['x', 'one'] },
        { name: 'c2', op: 'Conv2D', input: ['x', 'three'] },
        { name: 'c3', op: 'DepthwiseConv2dNative', input: ['x', 'deep'] },
      ]),
      [weight('one', [1, 1, 4, 6]), weight('three', [3, 3, 4, 6]), weight('deep', [1, 1, 4, 1])],
    );
    expect(Object.fromEntries(source.matmuls)).toEqual({ one: { n: 6, k: 4, layout: 'kn' } });
    expect(source.asMatmul('three')).toBeUndefined();
    source.close();
  });

  it('through Identity, in functions, and not around a cycle', () => {
    const source = open(
      graphTopology(
        [
          constant('w'),
          { name: 'i', op: 'Identity', input: ['w'] },
          { name: 'j', op: 'Identity', input: ['i'] },
          { name: 'm', op: 'MatMul', input: ['x', 'j'] },
          { name: 'p', op: 'Identity', input: ['q'] },
          { name: 'q', op: 'Identity', input: ['p'] },
          { name: 'n', op: 'MatMul', input: ['x', 'p'] },
        ],
        [{ nodeDef: [constant('f'), { name: 'm', op: 'MatMul', input: ['x', 'f:output:0'] }] }],
      ),
      [weight('w', [2, 3]), weight('f', [2, 3])],
    );
    expect([...source.matmuls.keys()]).toEqual(['w', 'f']);
    source.close();
  });

  it('the bias of a fused node belongs to the weight, whichever way the file spells the operation', () => {
    const fused = (name: string, w: string, ops: unknown): GraphNode => ({
      name,
      op: '_FusedMatMul',
      input: ['x', w, 'bias'],
      attr: { fused_ops: { list: { s: ops } } },
    });
    const source = open(
      graphTopology([
        ...['w1', 'w2', 'w3', 'bias'].map(constant),
        fused('m1', 'w1', ['Qmlhc0FkZA==', 'UmVsdQ==']),
        fused('m2', 'w2', [[66, 105, 97, 115, 65, 100, 100]]),
        fused('m3', 'w3', ['UmVsdQ==']),
      ]),
      [...['w1', 'w2', 'w3'].map((name) => weight(name, [2, 3])), weight('bias', [3])],
    );
    expect([...source.matmuls.values()].map(({ bias }) => bias)).toEqual(['bias', 'bias', undefined]);
    source.close();
  });

  it('a constant that is used both ways is kept; one with two biases has none', () => {
    const source = open(
      graphTopology([
        ...['w', 'v', 'b1', 'b2'].map(constant),
        { name: 'm1', op: 'MatMul', input: ['x', 'w'] },
        { name: 'm2', op: 'MatMul', input: ['x', 'w'], attr: { transpose_b: { b: true } } },
        ...['b1', 'b2'].map((bias) => ({
          name: `f${bias}`,
          op: '_FusedMatMul',
          input: ['x', 'v', bias],
          attr: { fused_ops: { list: { s: ['Qmlhc0FkZA=='] } } },
        })),
      ]),
      [weight('w', [2, 2]), weight('v', [2, 2]), weight('b1', [2]), weight('b2', [2])],
    );
    expect(Object.fromEntries(source.matmuls)).toEqual({ v: { n: 2, k: 2, layout: 'kn' } });
    source.close();
  });
});

describe('matmul weights of layers models', () => {
  const weights = [
    weight('dense/kernel', [3, 2]),
    weight('dense/bias', [2]),
    weight('inner/second/kernel', [2, 2]),
    weight('steps/kernel', [2, 5]),
    weight('conv/kernel', [1, 1, 2, 2]),
    weight('lstm/kernel', [2, 8]),
  ];
  const layers = [
    denseLayer('dense', 2),
    { class_name: 'Functional', config: { name: 'inner', layers: [denseLayer('second', 2)] } },
    { class_name: 'TimeDistributed', config: { name: 'steps', layer: denseLayer('wrapped', 5) } },
    { class_name: 'Conv2D', config: { name: 'conv' } },
    { class_name: 'LSTM', config: { name: 'lstm' } },
  ];

  it.each([
    [
      'a Keras file',
      { keras_version: '2.15.0', model_config: { class_name: 'Sequential', config: { name: 's', layers } } },
    ],
    [
      'a model saved by TensorFlow.js',
      { class_name: 'Model', config: { name: 'm', layers }, keras_version: 'tfjs-layers 4' },
    ],
    ['an old Sequential', { model_config: { class_name: 'Sequential', config: layers } }],
  ])('kernels of Dense, nested and wrapped too, in %s', (_, topology) => {
    const source = open(topology, weights);
    expect(source.format).toBe('tfjs-layers');
    expect(Object.fromEntries(source.matmuls)).toEqual({
      'dense/kernel': { n: 2, k: 3, layout: 'kn', bias: 'dense/bias' },
      'inner/second/kernel': { n: 2, k: 2, layout: 'kn' },
      'steps/kernel': { n: 5, k: 2, layout: 'kn' },
    });
    source.close();
  });

  it('opens a folder, and a file of any name', () => {
    const folder = temporaryFolder();
    const files = tfjsFiles({ class_name: 'Sequential', config: { layers } }, weights);
    writeFiles(folder, { 'network.txt': files['model.json']!, ...files });
    for (const path of [folder, join(folder, 'network.txt')]) {
      const source = openModel(path);
      expect(source.matmuls.size).toBe(3);
      source.close();
    }
  });
});
