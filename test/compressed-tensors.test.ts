import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { convert, dequantize, inspect, loadModel, quantize, verify } from '../lib/index.js';
import { f32, parseSafetensors, temporaryFolder, writeSafetensors, type TestTensor } from './support/safetensors.js';

const shape: [number, number] = [40, 24];
const floats = f32(shape, 3);
const bias = f32([40], 4);
const table = f32([10, 24], 5);
const head = f32([7, 24], 6);

let folder: string;
let output: string;
beforeEach(() => {
  folder = join(temporaryFolder(), 'model');
  mkdirSync(folder);
  output = join(folder, '..', 'out');
});

function writeModelFolder(): void {
  writeSafetensors(
    join(folder, 'model.safetensors'),
    { 'a.weight': floats, 'a.bias': bias, 'embed.weight': table, 'head.weight': head },
    { format: 'pt' },
  );
  writeFileSync(join(folder, 'config.json'), '{"model_type":"bert","__proto__":{"x":1},"hidden_size":24}');
  writeFileSync(join(folder, 'tokenizer.json'), '{"version":"1.0"}');
  writeFileSync(join(folder, 'weights.bin'), 'other');
}

function read(name = 'model.safetensors'): ReturnType<typeof parseSafetensors> {
  return parseSafetensors(readFileSync(join(output, name)));
}

describe('--format compressed-tensors', () => {
  it.each([
    { granularity: 'per-channel', symmetric: true },
    { granularity: 'per-tensor', symmetric: true },
    { granularity: 'per-channel', symmetric: false },
    { granularity: 'per-tensor', symmetric: false },
  ] as const)('stores the codes that quantize gives: $granularity, symmetric $symmetric', async (options) => {
    writeModelFolder();
    const report = await convert(folder, output, { format: 'compressed-tensors', ...options, exclude: ['head.*'] });
    expect(report).toMatchObject({ outputFormat: 'compressed-tensors', packed: 1 });
    const { tensors, metadata } = read();
    expect(metadata).toEqual({ format: 'pt' });
    const axis = options.granularity === 'per-channel' ? { axis: 0 } : {};
    const q = quantize(floats.data as Float32Array, shape, {
      dtype: 'int8',
      symmetric: options.symmetric,
      granularity: options.granularity,
      ...axis,
    });
    const rows = options.granularity === 'per-channel' ? [40, 1] : [1];
    const bytes = (view: ArrayBufferView): Buffer => Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    expect(tensors.get('a.weight')).toMatchObject({ dtype: 'I8', shape, bytes: bytes(q.data) });
    expect(tensors.get('a.weight_scale')).toMatchObject({ dtype: 'F32', shape: rows, bytes: bytes(q.scales) });
    const points = tensors.get('a.weight_zero_point');
    if (options.symmetric) expect(points).toBeUndefined();
    else expect(points).toMatchObject({ dtype: 'I8', shape: rows, bytes: bytes(Int8Array.from(q.zeroPoints)) });
    expect(tensors.get('embed.weight')!.bytes).toEqual(bytes(table.data));
    expect(tensors.get('a.bias')!.bytes).toEqual(bytes(bias.data));
  });

  it('writes config.json, and copies what else the folder holds', async () => {
    writeModelFolder();
    await convert(folder, output, { format: 'compressed-tensors', exclude: ['head.*'] });
    expect(readdirSync(output).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    const text = readFileSync(join(output, 'config.json'), 'utf8');
    expect(text).toContain('"__proto__": {');
    const config = JSON.parse(text) as Record<string, object>;
    expect(config).toMatchObject({
      model_type: 'bert',
      quantization_config: {
        quant_method: 'compressed-tensors',
        format: 'int-quantized',
        // Layers that may be tied to the embedding are in no file.
        ignore: ['embed', 'head', 're:(.*[.])?lm_head$', 're:(.*[.])?decoder$', 're:(.*[.])?vocab_projector$'],
        config_groups: {
          group_0: {
            targets: ['Linear'],
            weights: { num_bits: 8, type: 'int', symmetric: true, strategy: 'channel' },
            input_activations: { dynamic: true, strategy: 'token', symmetric: false },
          },
        },
      },
    });
  });

  it('names lm_head, which vLLM has as another class than Linear, where it is quantized', async () => {
    const tensors = { 'model.a.weight': floats, 'lm_head.weight': floats };
    const input = writeSafetensors(join(folder, 'x.safetensors'), tensors);
    await convert(input, output, { format: 'compressed-tensors' });
    const config = JSON.parse(readFileSync(join(output, 'config.json'), 'utf8')) as Record<string, object>;
    expect(config['quantization_config']).toMatchObject({
      ignore: ['re:(.*[.])?decoder$', 're:(.*[.])?vocab_projector$'],
      config_groups: { group_0: { targets: ['lm_head', 'Linear'] } },
    });
  });

  it('the output is a new or an empty folder', async () => {
    writeModelFolder();
    mkdirSync(output);
    await convert(folder, output, { format: 'compressed-tensors' });
    await expect(convert(folder, output, { format: 'compressed-tensors' })).rejects.toMatchObject({
      code: 'ERR_QGEMM_IO',
      message: expect.stringContaining('new or an empty folder') as unknown,
    });
    expect(readdirSync(join(folder, '..')).sort()).toEqual(['model', 'out']);
  });

  it('refuses what the format cannot hold, before anything is written', async () => {
    const input = writeSafetensors(join(folder, 'x.safetensors'), { 'x.kernel': floats });
    await expect(convert(input, output, { format: 'compressed-tensors', include: ['x.kernel'] })).rejects.toMatchObject(
      { code: 'ERR_QGEMM_ARGUMENT', message: expect.stringContaining('.weight') as unknown },
    );
    await expect(convert(input, output, { format: 'compressed-tensors', scheme: 'float32' })).rejects.toMatchObject({
      code: 'ERR_QGEMM_ARGUMENT',
    });
    expect(existsSync(output)).toBe(false);
  });
});

const int8 = (length: number): Int8Array => Int8Array.from({ length }, (_, i) => ((i * 37) % 256) - 128);
const scales = Float32Array.from({ length: 40 }, (_, i) => 0.001 * (i + 1));

describe('weights that compressed-tensors has quantized', () => {
  const codes: TestTensor = { dtype: 'I8', shape, data: int8(960) };
  const cases: [string, Record<string, TestTensor>, number[], boolean][] = [
    ['per channel', { 'a.weight_scale': { dtype: 'F32', shape: [40, 1], data: scales } }, Array.from(scales), true],
    ['per channel, flat', { 'a.weight_scale': { dtype: 'F32', shape: [40], data: scales } }, Array.from(scales), true],
    ['per tensor', { 'a.weight_scale': { dtype: 'F32', shape: [1], data: scales.subarray(4, 5) } }, [scales[4]!], true],
    [
      'with zero points',
      {
        'a.weight_scale': { dtype: 'F32', shape: [40, 1], data: scales },
        'a.weight_zero_point': { dtype: 'I8', shape: [40, 1], data: int8(40) },
      },
      Array.from(scales),
      false,
    ],
  ];

  it.each(cases)('keep their codes: %s', async (_, parameters, expectedScales, symmetric) => {
    const input = writeSafetensors(join(folder, 'in.safetensors'), {
      'a.weight': codes,
      'a.bias': bias,
      ...parameters,
    });
    const file = join(folder, 'out.safetensors');
    const report = await convert(input, file);
    expect(report.tensors.find(({ name }) => name === 'a.weight')).toMatchObject({ action: 'packed', codesKept: true });
    const { tensors } = parseSafetensors(readFileSync(file));
    const panels = tensors.get('a.weight.panels')!.bytes;
    // P[n/32, k/4, n%32, k%4] with K padded to 64.
    const unpacked = int8(960).map((_, i) => {
      const [n, k] = [Math.floor(i / 24), i % 24];
      return panels.readInt8(Math.floor(n / 32) * 64 * 32 + Math.floor(k / 4) * 128 + (n % 32) * 4 + (k % 4));
    });
    expect(unpacked).toEqual(int8(960));
    const stored = new Float32Array(new Uint8Array(tensors.get('a.weight.scales')!.bytes).buffer);
    expect(Array.from(stored.subarray(0, 40))).toEqual(
      Array.from({ length: 40 }, (_, i) => expectedScales[expectedScales.length === 1 ? 0 : i]),
    );
    expect(tensors.has('a.weight.zero_points')).toBe(!symmetric);
    const model = loadModel(file);
    const zeroPoints = symmetric ? new Int32Array(expectedScales.length) : Int32Array.from(int8(40));
    const axis = expectedScales.length === 1 ? null : 0;
    const q = {
      data: int8(960),
      shape,
      dtype: 'int8',
      scales: Float32Array.from(expectedScales),
      zeroPoints,
      axis,
    } as const;
    expect(model.tensor('a.weight').data).toEqual(dequantize(q));
    model.close();
    expect((await verify(input, file)).weights[0]).toMatchObject({ sqnr: Infinity, maxError: 0 });
  });

  it('--requantize takes the dequantized values, float32 too', async () => {
    const input = writeSafetensors(join(folder, 'in.safetensors'), { 'a.weight': codes, ...cases[3]![1] });
    const file = join(folder, 'out.safetensors');
    const report = await convert(input, file, { requantize: true });
    expect(report.tensors[0]!.codesKept).toBeUndefined();
    await convert(input, file, { scheme: 'float32' });
    expect((await verify(input, file)).weights[0]).toMatchObject({ sqnr: Infinity, scheme: 'float32' });
  });

  it('a folder that was converted to compressed-tensors can be packed: the same bytes as directly', async () => {
    writeModelFolder();
    await convert(folder, output, { format: 'compressed-tensors' });
    expect(inspect(output).tensors.find(({ name }) => name === 'a.weight')!.matmul).toMatchObject({ n: 40, k: 24 });
    const [direct, around] = [join(folder, 'direct.q8'), join(folder, 'around.q8')];
    await convert(join(folder, 'model.safetensors'), direct);
    await convert(output, around);
    const [a, b] = [parseSafetensors(readFileSync(direct)), parseSafetensors(readFileSync(around))];
    for (const [name, { bytes }] of a.tensors)
      expect({ name, bytes: b.tensors.get(name)?.bytes }).toEqual({ name, bytes });
  });

  it('non-finite scales are refused', async () => {
    const bad = { dtype: 'F32', shape: [1], data: Float32Array.of(NaN) };
    const input = writeSafetensors(join(folder, 'in.safetensors'), { 'a.weight': codes, 'a.weight_scale': bad });
    await expect(convert(input, join(folder, 'out'))).rejects.toMatchObject({ code: 'ERR_QGEMM_RANGE' });
  });
});
