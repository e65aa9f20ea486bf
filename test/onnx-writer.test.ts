import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openOnnx, type OnnxSource } from '../lib/formats/onnx/reader.js';
import { openModel } from '../lib/formats/open.js';
import { readTensor } from '../lib/formats/source.js';
import { convert, loadModel, quantize, verify, type ConvertOptions } from '../lib/index.js';
import { FileSource } from '../lib/formats/file.js';
import {
  FLOAT,
  FLOAT16,
  INT8,
  externalTensor,
  floatTensor,
  graphProto,
  message,
  nodeProto,
  onnxBytes,
  rawTensor,
  type OnnxTestGraph,
} from './support/onnx.js';
import { bytesOf, f32, temporaryFolder, values, writeSafetensors } from './support/safetensors.js';

const matmul = { op: 'MatMul', in: ['x', 'w'], out: ['y'] };
const dequantize = (name: string, zeroPoint = false, axis = 1): Buffer =>
  nodeProto({
    op: 'DequantizeLinear',
    in: [`${name}_quantized`, `${name}_scale`, ...(zeroPoint ? [`${name}_zero_point`] : [])],
    out: [name],
    name: `${name}_DequantizeLinear`,
    attributes: { axis },
  });

interface Converted {
  input: string;
  output: string;
  bytes: Buffer;
}

async function write(bytes: Buffer, options: ConvertOptions = {}, folder = temporaryFolder()): Promise<Converted> {
  const input = join(folder, 'model.onnx');
  const output = join(folder, 'out', 'model.onnx');
  mkdirSync(join(folder, 'out'));
  writeFileSync(input, bytes);
  await convert(input, output, { ...options, format: 'onnx' });
  return { input, output, bytes: readFileSync(output) };
}

const writeGraph = (graph: OnnxTestGraph, options?: ConvertOptions): Promise<Converted> =>
  write(onnxBytes({ inputs: ['x'], outputs: ['y'], ...graph }), options);

function open(path: string): OnnxSource {
  return openOnnx(path, new FileSource(path));
}

describe('--format onnx', () => {
  it('is the same graph, byte for byte, with initializers and a DequantizeLinear in place of the weight', async () => {
    const [before, after] = [floatTensor('a', [2]), floatTensor('b', [5])];
    const unknown = [99, 'a field of a later version'] as const;
    const graph = (nodes: Buffer[], tensors: Buffer[]): Buffer =>
      message(
        ...nodes.map((node) => [1, node] as const),
        [2, 'graph'],
        ...tensors.map((tensor) => [5, tensor] as const),
        [10, 'doc'],
        [11, message([1, 'x'])],
        [12, message([1, 'y'])],
        unknown,
      );
    const { bytes } = await write(
      onnxBytes(graph([nodeProto(matmul)], [before, floatTensor('w', [3, 5]), after]), 17, unknown),
    );
    const { data, scales } = quantize(values(15), [3, 5], { dtype: 'int8', granularity: 'per-channel', axis: 1 });
    const initializers = [
      before,
      rawTensor('w_quantized', INT8, [3, 5], data),
      rawTensor('w_scale', FLOAT, [5], scales),
      after,
    ];
    expect(bytes).toEqual(onnxBytes(graph([dequantize('w'), nodeProto(matmul)], initializers), 17, unknown));
  });

  it('takes the settings: zero points, one scale, and formulas of others', async () => {
    const options = { symmetric: false, numerics: 'onnx' } as const;
    const { bytes } = await writeGraph({ nodes: [matmul], tensors: [floatTensor('w', [3, 5])] }, options);
    const q = quantize(values(15), [3, 5], { dtype: 'int8', granularity: 'per-channel', axis: 1, ...options });
    const tensors = [
      rawTensor('w_quantized', INT8, [3, 5], q.data),
      rawTensor('w_scale', FLOAT, [5], q.scales),
      rawTensor('w_zero_point', INT8, [5], Int8Array.from(q.zeroPoints)),
    ];
    expect(bytes).toEqual(
      onnxBytes({ nodes: [dequantize('w', true), nodeProto(matmul)], tensors, inputs: ['x'], outputs: ['y'] }),
    );

    const one = await writeGraph(
      { nodes: [matmul], tensors: [floatTensor('w', [3, 5])] },
      { granularity: 'per-tensor' },
    );
    const { quantized } = openModel(one.output).matmuls.get('w')!;
    expect(quantized!.readScales()).toEqual(quantize(values(15), [15], { dtype: 'int8' }).scales);
  });

  it('has the codes that packing has', async () => {
    for (const [layout, dims] of [
      ['kn', [70, 45]],
      ['nk', [45, 70]],
    ] as const) {
      const node = { op: 'Gemm', in: ['x', 'w'], out: ['y'], attributes: { transB: layout === 'nk' ? 1 : 0 } };
      const { input, output } = await writeGraph({ nodes: [node], tensors: [floatTensor('w', [...dims])] });
      const packed = join(temporaryFolder(), 'packed.safetensors');
      await convert(input, packed);
      const model = loadModel(packed);
      const written = openModel(output);
      const dequantized = new Float32Array(readTensor(written.tensors.get('w')!).buffer);
      const rows =
        layout === 'nk' ? dequantized : dequantized.map((_, i) => dequantized[(i % 70) * 45 + Math.floor(i / 70)]!);
      expect(model.tensor('w').data).toEqual(rows);
      model.close();
    }
  });

  it('can be verified: weights have their names again, everything else is there', async () => {
    const tensors = [floatTensor('w', [64, 32]), floatTensor('b', [32]), floatTensor('other', [7])];
    const { input, output } = await writeGraph({ nodes: [{ ...matmul, op: 'Gemm', in: ['x', 'w', 'b'] }], tensors });
    const { weights, mismatches } = await verify(input, output);
    expect(mismatches).toEqual([]);
    expect(weights.map(({ name, sqnr }) => [name, sqnr > 38])).toEqual([['w', true]]);
  });

  it('weights in graphs inside, in Constant nodes, in float16, and with names that are taken', async () => {
    const inner = graphProto({
      nodes: [{ op: 'MatMul', in: ['x', 'v'], out: ['i'] }],
      tensors: [floatTensor('v', [3, 4], 2)],
      outputs: ['i'],
    });
    const { output } = await writeGraph({
      nodes: [
        { op: 'Constant', in: [], out: ['k'], attributes: { value: { tensor: floatTensor('', [3, 2], 3) } } },
        { op: 'If', in: ['c'], out: ['z'], attributes: { then_branch: { graph: inner } } },
        { op: 'MatMul', in: ['x', 'k'], out: ['w_quantized'] },
        { op: 'MatMul', in: ['x', 'h'], out: ['y'] },
      ],
      tensors: [
        rawTensor('h', FLOAT16, [2, 2], Uint16Array.of(0x3c00, 0x4000, 0xbc00, 0xc000)),
        floatTensor('w', [3, 5]),
      ],
    });
    const source = open(output);
    expect([...source.matmuls.keys()].sort()).toEqual(['h', 'k', 'v']);
    const half = new Float32Array(readTensor(source.tensors.get('h')!).buffer);
    half.forEach((value, i) => expect(value).toBeCloseTo([1, 2, -1, -2][i]!, 5));
    const { graph } = source.document.scopes[0]!;
    expect(graph.nodes.map(({ op }) => op)).toEqual([
      'DequantizeLinear',
      'Cast',
      'DequantizeLinear',
      'If',
      'MatMul',
      'MatMul',
    ]);
    expect(graph.nodes[3]!.graphs[0]!.nodes.map(({ op }) => op)).toEqual(['DequantizeLinear', 'MatMul']);
  });

  it('new values take names that no graph has', async () => {
    const graph = { nodes: [matmul, { op: 'Abs', in: ['x'], out: ['w_scale'] }], tensors: [floatTensor('w', [3, 5])] };
    const { output } = await writeGraph(graph);
    expect(open(output).document.scopes[0]!.graph.nodes[0]!.inputs).toEqual(['w_quantized', 'w_scale_1']);
  });

  it('a weight that is listed among the inputs is none any more', async () => {
    const { output } = await writeGraph({ nodes: [matmul], tensors: [floatTensor('w', [3, 5])], inputs: ['x', 'w'] });
    expect(open(output).document.scopes[0]!.graph.inputs.map(({ name }) => name)).toEqual(['x']);
  });

  it('external data move into the file; what is excluded stays', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'data'), bytesOf(values(35)));
    const tensors = [
      externalTensor('w', FLOAT, [3, 5], { location: 'data', length: '60' }),
      externalTensor('v', FLOAT, [4, 5], { location: 'data', offset: '60', length: '80' }),
    ];
    const nodes = [matmul, { op: 'MatMul', in: ['x', 'v'], out: ['z'] }];
    const { bytes, output } = await write(onnxBytes({ nodes, tensors }), { exclude: ['v'] }, folder);
    expect(open(output).files).toHaveLength(1);
    expect(bytes.includes(rawTensor('v', FLOAT, [4, 5], values(35).subarray(15)))).toBe(true);
    const { bytes: inside } = await write(onnxBytes({ nodes: [matmul], tensors: [floatTensor('w', [3, 5])] }));
    const { bytes: outside } = await write(
      onnxBytes({ nodes: [matmul], tensors: tensors.slice(0, 1) }),
      {},
      withData(values(15)),
    );
    expect(outside).toEqual(inside);
  });

  it('weights in codes stay as they are', async () => {
    const nodes = [dequantize('w'), nodeProto(matmul)];
    const tensors = [rawTensor('w_quantized', INT8, [3, 5], new Int8Array(15).fill(3)), floatTensor('w_scale', [5])];
    const original = onnxBytes({ nodes, tensors });
    expect((await write(original)).bytes).toEqual(original);
    await expect(write(original, { requantize: true })).rejects.toMatchObject({ code: 'ERR_QGEMM_ARGUMENT' });
  });

  it('refuses operators that are too old, and sources that have no graph', async () => {
    const graph = { nodes: [matmul], tensors: [floatTensor('w', [3, 5])] };
    await expect(write(onnxBytes(graph, 12))).rejects.toMatchObject({ code: 'ERR_QGEMM_FORMAT' });
    await expect(write(onnxBytes(graph, 9), { granularity: 'per-tensor' })).rejects.toMatchObject({
      code: 'ERR_QGEMM_FORMAT',
    });
    await write(onnxBytes(graph, 12), { granularity: 'per-tensor' });
    const folder = temporaryFolder();
    const other = writeSafetensors(join(folder, 'model.safetensors'), { 'a.weight': f32([3, 5]) });
    await expect(convert(other, join(folder, 'out.onnx'), { format: 'onnx' })).rejects.toMatchObject({
      code: 'ERR_QGEMM_ARGUMENT',
    });
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });
});

function withData(data: Float32Array): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'data'), bytesOf(data));
  return folder;
}
