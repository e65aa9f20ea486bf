import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../lib/formats/open.js';
import { readTensor, type ModelSource } from '../lib/formats/source.js';
import { inspect, loadModel, convert, verify } from '../lib/index.js';
import { Call, Global, pickle, Tuple, type Pickled } from './support/pickle.js';
import { temporaryFolder, values } from './support/safetensors.js';
import { dict, quantized, tensor, torchFiles, torchLegacy, torchZip } from './support/torch.js';
import { zipBytes } from './support/zip.js';

function write(bytes: Uint8Array, name = 'model.pt'): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, bytes);
  return path;
}

const open = (bytes: Uint8Array): ModelSource => openModel(write(bytes));
const floats = (model: ModelSource, name: string): number[] => [
  ...new Float32Array(readTensor(model.tensors.get(name)!).buffer),
];
const names = (model: ModelSource): string[] => [...model.tensors.keys()];
const w = values(12);
const W = { elements: 12 };

describe('PyTorch checkpoints', () => {
  it('a state_dict: tensors, their dtypes and shapes, matmul weights and biases', () => {
    const model = open(
      torchZip(
        dict({
          'fc.weight': tensor(W, [3, 4]),
          'fc.bias': tensor({ key: '1', elements: 3 }, [3]),
          'step.count': tensor({ key: '2', type: 'LongStorage', elements: 1 }, []),
        }),
        { 0: w, 1: values(3), 2: new BigInt64Array([7n]) },
      ),
    );
    expect(model.format).toBe('pytorch');
    expect([...model.tensors.values()].map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      ['fc.weight', 'F32', [3, 4]],
      ['fc.bias', 'F32', [3]],
      ['step.count', 'I64', []],
    ]);
    expect(floats(model, 'fc.weight')).toEqual([...w]);
    expect(readTensor(model.tensors.get('step.count')!)[0]).toBe(7);
    expect([...model.matmuls]).toEqual([['fc.weight', { n: 3, k: 4, layout: 'nk', bias: 'fc.bias' }]]);
  });

  it('views: transposed, cut, repeated, of one storage', () => {
    const model = open(
      torchZip(
        dict({
          transposed: tensor(W, [4, 3], [1, 4]),
          column: tensor(W, [3, 2], [4, 1], 1),
          row: tensor(W, [4], [1], 8),
          repeated: tensor(W, [2, 3], [0, 4], 3),
          scalar: tensor(W, [], [], 5),
          empty: tensor(W, [0, 7]),
          permuted: tensor(W, [2, 2, 3], [1, 6, 2]),
        }),
        { 0: w },
      ),
    );
    const at = (...indices: number[]): number[] => indices.map((i) => w[i]!);
    expect(floats(model, 'transposed')).toEqual(at(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11));
    expect(floats(model, 'column')).toEqual(at(1, 2, 5, 6, 9, 10));
    expect(floats(model, 'row')).toEqual(at(8, 9, 10, 11));
    expect(floats(model, 'repeated')).toEqual(at(3, 7, 11, 3, 7, 11));
    expect(floats(model, 'scalar')).toEqual(at(5));
    expect(floats(model, 'empty')).toEqual([]);
    expect(floats(model, 'permuted')).toEqual(at(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11));
  });

  it('every dtype, by its storage or by its own', () => {
    const types: [string, string, number][] = [
      ['DoubleStorage', 'F64', 8],
      ['HalfStorage', 'F16', 2],
      ['BFloat16Storage', 'BF16', 2],
      ['LongStorage', 'I64', 8],
      ['IntStorage', 'I32', 4],
      ['ShortStorage', 'I16', 2],
      ['CharStorage', 'I8', 1],
      ['ByteStorage', 'U8', 1],
      ['BoolStorage', 'BOOL', 1],
      ['ComplexFloatStorage', 'C64', 8],
    ];
    const data = Buffer.from(Array.from({ length: 48 }, (_, i) => i * 5));
    const untyped = (dtype: string): Pickled => {
      const { args } = tensor({ type: 'storage.UntypedStorage', elements: 48 }, [6]);
      return new Call('torch._utils._rebuild_tensor_v3', ...args.items, new Global(`torch.${dtype}`));
    };
    const root = dict({
      ...Object.fromEntries(types.map(([type, name]) => [name, tensor({ type, elements: 6 }, [6])])),
      F8_E5M2: untyped('float8_e5m2'),
      U16: untyped('uint16'),
    });
    const model = open(torchZip(root, { 0: data }));
    for (const [, name, size] of [...types, ['', 'F8_E5M2', 1], ['', 'U16', 2]] as [string, string, number][]) {
      const found = model.tensors.get(name)!;
      expect(found.dtype).toBe(name);
      expect(Buffer.from(readTensor(found)).equals(data.subarray(0, 6 * size))).toBe(true);
    }
  });

  it('parameters and tensors with attributes are the tensors in them', () => {
    const plain = tensor(W, [3, 4]);
    const hooks = new Call('collections.OrderedDict');
    const model = open(
      torchZip(
        dict({
          a: new Call('torch._utils._rebuild_parameter', plain, true, hooks),
          b: new Call('torch._utils._rebuild_parameter_with_state', plain, true, hooks, dict({ x: 1 })),
          c: new Call(
            'torch._tensor._rebuild_from_type_v2',
            new Global('torch._utils._rebuild_tensor_v2'),
            new Global('torch.nn.parameter.Parameter'),
            plain.args,
            dict({ x: 1 }),
          ),
          d: new Call('torch._utils._rebuild_tensor', ...plain.args.items.slice(0, 4)),
        }),
        { 0: w },
      ),
    );
    for (const name of ['a', 'b', 'c', 'd']) expect(floats(model, name)).toEqual([...w]);
  });

  it('names: nested dicts and lists; the model of a training checkpoint, without its optimizer', () => {
    const t = tensor(W, [3, 4]);
    const nested = dict({ a: dict({ b: t }), list: [t, new Tuple(t)], 'x.y': t });
    expect(names(open(torchZip(nested, { 0: w })))).toEqual(['a.b', 'list.0', 'list.1.0', 'x.y']);
    expect(names(open(torchZip(t, { 0: w })))).toEqual(['tensor']);
    for (const key of ['state_dict', 'model_state_dict', 'model']) {
      const training = dict({ epoch: 3, [key]: dict({ 'a.weight': t }), optimizer: dict({ m: t }), lr: 0.5 });
      const model = open(torchZip(training, { 0: w }));
      expect(names(model)).toEqual(['a.weight']);
      expect(Object.fromEntries(model.metadata)).toEqual({
        'pytorch.epoch': '3',
        'pytorch.lr': '0.5',
        'pytorch.left_out': 'optimizer',
      });
    }
    // An outermost dict with tensors is the model itself.
    expect(names(open(torchZip(dict({ a: t, model: dict({ b: t }) }), { 0: w })))).toEqual(['a', 'model.b']);
  });

  it('keys such as __proto__ are keys like any other', () => {
    const t = tensor(W, [3, 4]);
    const model = open(torchZip(dict({ ['__proto__']: t, constructor: t, 'toString.weight': t }), { 0: w }));
    expect(names(model)).toEqual(['__proto__', 'constructor', 'toString.weight']);
  });

  it('quantized tensors keep their codes and are presented by their values', async () => {
    const codes = Int8Array.from({ length: 12 }, (_, i) => i * 20 - 120);
    const scales = Float64Array.of(0.5, 0.25, 2);
    const zeroPoints = BigInt64Array.of(0n, 3n, -4n);
    const channel = [
      new Global('torch.per_channel_affine'),
      tensor({ key: 's', type: 'DoubleStorage', elements: 3 }, [3]),
      tensor({ key: 'z', type: 'LongStorage', elements: 3 }, [3]),
    ];
    const q = { type: 'QInt8Storage', elements: 12 };
    const path = write(
      torchZip(
        dict({
          'rows.weight': quantized(q, [3, 4], ...channel, 0),
          'columns.weight': quantized(q, [4, 3], ...channel, 1),
          'middle.weight': quantized(q, [2, 3, 2], ...channel, 1),
          'all.weight': quantized(
            { ...q, type: 'QUInt8Storage' },
            [3, 4],
            new Global('torch.per_tensor_affine'),
            0.5,
            7,
          ),
          'layer._packed_params._packed_params': new Tuple(
            quantized(q, [3, 4], ...channel, 0),
            tensor({ key: 'f', elements: 3 }, [3]),
          ),
        }),
        { 0: codes, s: scales, z: zeroPoints, f: values(3) },
      ),
    );
    const model = openModel(path);
    const value = (i: number, channel: number): number => (codes[i]! - Number(zeroPoints[channel])) * scales[channel]!;
    expect(floats(model, 'rows.weight')).toEqual(Array.from(codes, (_, i) => value(i, Math.floor(i / 4))));
    expect(floats(model, 'columns.weight')).toEqual(Array.from(codes, (_, i) => value(i, i % 3)));
    expect(floats(model, 'middle.weight')).toEqual(Array.from(codes, (_, i) => value(i, Math.floor(i / 2) % 3)));
    expect(floats(model, 'all.weight')).toEqual(Array.from(new Uint8Array(codes.buffer), (code) => (code - 7) * 0.5));
    const kept = model.matmuls.get('rows.weight')!.quantized!;
    expect({ scales: kept.readScales(), zeroPoints: kept.readZeroPoints(), granularity: kept.granularity }).toEqual({
      scales: Float32Array.from(scales),
      zeroPoints: Int32Array.of(0, 3, -4),
      granularity: 'per-channel',
    });
    expect(new Int8Array(readTensor(kept.codes).buffer)).toEqual(codes);
    expect(model.matmuls.get('all.weight')!.quantized!.granularity).toBe('per-tensor');
    // Scales along K cannot be kept.
    expect(model.matmuls.get('columns.weight')).toEqual({ n: 4, k: 3, layout: 'nk' });
    expect(model.matmuls.get('layer.weight')).toMatchObject({ n: 3, k: 4, bias: 'layer.bias' });

    const output = join(temporaryFolder(), 'out.safetensors');
    await convert(path, output);
    expect((await verify(path, output)).mismatches).toEqual([]);
  });

  it('files that torch wrote before 1.6, with views of views', () => {
    const root = dict({
      'a.weight': tensor(W, [4, 3], [1, 4]),
      view: tensor({ elements: 12, view: new Tuple('v', 4, 6) }, [2, 2], [3, 1], 1),
      'b.weight': tensor({ key: 'b', type: 'HalfStorage', elements: 2 }, [1, 2]),
    });
    const bytes = torchLegacy(root, { b: Uint16Array.of(0x3c00, 0xc000), 0: w }, { b: 2, 0: 12 });
    const model = open(bytes);
    expect(model.format).toBe('pytorch-legacy');
    expect(floats(model, 'a.weight')).toEqual([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11].map((i) => w[i]));
    expect(floats(model, 'view')).toEqual([5, 6, 8, 9].map((i) => w[i]));
    expect([...new Uint16Array(readTensor(model.tensors.get('b.weight')!).buffer)]).toEqual([0x3c00, 0xc000]);
  });

  it('several files and their index, in a folder of Hugging Face', async () => {
    const folder = temporaryFolder();
    const shard = (name: string, key: string): void =>
      writeFileSync(join(folder, name), torchZip(dict({ [key]: tensor(W, [3, 4]) }), { 0: w }));
    shard('pytorch_model-1.bin', 'a.weight');
    shard('pytorch_model-2.bin', 'b.weight');
    const index = { weight_map: { 'a.weight': 'pytorch_model-1.bin', 'b.weight': 'pytorch_model-2.bin' } };
    writeFileSync(join(folder, 'pytorch_model.bin.index.json'), JSON.stringify(index));
    writeFileSync(join(folder, 'training_args.bin'), 'not a model');
    const model = openModel(folder);
    expect([model.format, names(model)]).toEqual(['pytorch-sharded', ['a.weight', 'b.weight']]);
    expect(floats(model, 'b.weight')).toEqual([...w]);
    expect([...model.matmuls.keys()]).toEqual(['a.weight', 'b.weight']);
    model.close();
    await convert(folder, join(folder, 'out.safetensors'));

    index.weight_map['b.weight'] = 'pytorch_model-1.bin';
    writeFileSync(join(folder, 'pytorch_model.bin.index.json'), JSON.stringify(index));
    expect(() => openModel(folder)).toThrow('must list tensors that exist');
  });

  it('protocol 4, and a zip archive that was packed again', () => {
    const t = tensor(W, [3, 4]);
    // Memo, short strings, frames and names from the stack, as protocol 4 writes them.
    const short = (text: string): Buffer => Buffer.concat([Buffer.of(0x8c, text.length), Buffer.from(text)]);
    const four = Buffer.concat([
      Buffer.from([0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0, 0, 0x7d, 0x94]),
      short('w'),
      ...[short('torch._utils'), short('_rebuild_tensor_v2'), Buffer.of(0x93)],
      pickle(t.args).subarray(2, -1),
      Buffer.from('Rs.'),
    ]);
    const files = torchFiles(four, { 0: w }).map((file) => ({ ...file, streamed: false, deflate: true }));
    expect(floats(open(zipBytes(files, { comment: 'packed again' })), 'w')).toEqual([...w]);
  });

  it('converts to a file that multiplies, and inspect names the format', async () => {
    const path = write(torchZip(dict({ 'fc.weight': tensor(W, [4, 3], [1, 4]) }), { 0: w }), 'weights.bin');
    expect(inspect(path).format).toBe('pytorch');
    const output = join(temporaryFolder(), 'out.safetensors');
    await convert(path, output, { scheme: 'float32' });
    const model = loadModel(output);
    const y = model.linear('fc').forward(Float32Array.of(1, 0, 0));
    expect([...y]).toEqual([w[0], w[1], w[2], w[3]]);
    model.close();
  });
});
