import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  convert,
  inspect,
  Linear,
  loadModel,
  PackedWeights,
  QgemmError,
  type ConvertOptions,
  type Model,
  type PackOptions,
} from '../lib/index.js';
import {
  bytesOf,
  f32,
  parseSafetensors,
  safetensorsBytes,
  temporaryFolder,
  values,
  writeSafetensors,
  type TestTensor,
} from './support/safetensors.js';

const tensors: Record<string, TestTensor> = {
  'enc.q.weight': f32([40, 70], 1),
  'enc.q.bias': f32([40], 2),
  'enc.k.weight': f32([33, 40], 3),
  plain: f32([6, 5], 4),
  half: { dtype: 'F16', shape: [2], data: Uint16Array.of(0x3c00, 0x0001) },
  brain: { dtype: 'BF16', shape: [1], data: Uint16Array.of(0x4049) },
  ids: { dtype: 'I64', shape: [2], data: BigInt64Array.of(-(2n ** 60n), 3n) },
  doubles: { dtype: 'F64', shape: [1], data: Float64Array.of(Math.PI) },
  flags: { dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) },
  eight: { dtype: 'F8_E4M3', shape: [2], data: Uint8Array.of(0x38, 0xff) },
};

async function load(options: ConvertOptions = {}, load?: { map?: boolean }): Promise<{ model: Model; path: string }> {
  const folder = temporaryFolder();
  const path = join(folder, 'out.safetensors');
  await convert(writeSafetensors(join(folder, 'in.safetensors'), tensors, { task: 'test' }), path, options);
  return { model: loadModel(path, load), path };
}

const error = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('loadModel', () => {
  it('lists layers, tensors and metadata', async () => {
    const { model } = await load({ include: ['*.weight', 'plain'] });
    expect(model.names).toEqual(['enc.q', 'enc.k', 'plain']);
    expect([...model.tensorNames].sort()).toEqual(Object.keys(tensors).sort());
    expect({ ...model.metadata }).toEqual({ task: 'test' });
    model.close();
  });

  const variants: PackOptions[] = [
    {},
    { granularity: 'per-tensor' },
    { symmetric: false },
    { activations: 'symmetric' },
    { symmetric: false, activations: 'symmetric', granularity: 'per-tensor' },
    { scheme: 'float32' },
  ];
  const both = variants.flatMap((options) => [true, false].map((map) => ({ options, map })));

  it.each(both)('its layers give the bits that packed weights give: $options, map $map', async ({ options, map }) => {
    const { model } = await load(options, { map });
    const x = values(3 * 70, 8);
    const weights = PackedWeights.fromFloat32(values(40 * 70, 1), [40, 70], options);
    const bias = values(40, 2);
    const expected = new Linear(weights, { bias, activation: 'gelu' }).forward(x);
    expect(model.linear('enc.q', { activation: 'gelu' }).forward(x)).toEqual(expected);
    expect(model.linear('enc.q.weight', { activation: 'gelu', bias }).forward(x)).toEqual(expected);
    expect(await model.linear('enc.q', { activation: 'gelu' }).forwardAsync(x)).toEqual(expected);
    const without = new Linear(weights).forward(x);
    expect(model.linear('enc.q', { bias: null }).forward(x)).toEqual(without);
    model.close();
  });

  it('tensors come back: packed ones dequantized, biases and others exactly', async () => {
    const { model, path } = await load();
    const { data, shape, dtype } = model.tensor('enc.q.weight');
    expect({ shape, dtype }).toEqual({ shape: [40, 70], dtype: 'F32' });
    const scales = parseSafetensors(readFileSync(path)).tensors.get('enc.q.weight.scales')!.bytes;
    values(40 * 70, 1).forEach((value, i) => {
      // Half a step, and the rounding of three float32 operations.
      const scale = scales.readFloatLE(4 * Math.floor(i / 70));
      expect(Math.abs((data[i] as number) - value)).toBeLessThanOrEqual(0.5001 * scale);
    });
    expect(model.tensor('enc.q.bias')).toEqual({ data: values(40, 2), shape: [40], dtype: 'F32' });
    expect(model.tensor('plain')).toEqual({ data: values(30, 4), shape: [6, 5], dtype: 'F32' });
    expect(model.tensor('half')).toEqual({ data: Float32Array.of(1, 2 ** -24), shape: [2], dtype: 'F16' });
    expect(model.tensor('brain')).toEqual({ data: Float32Array.of(3.140625), shape: [1], dtype: 'BF16' });
    expect(model.tensor('ids').data).toEqual(tensors['ids']!.data);
    expect(model.tensor('doubles').data).toEqual(tensors['doubles']!.data);
    expect(model.tensor('flags').data).toEqual(tensors['flags']!.data);
    expect(model.tensor('eight').data).toEqual(tensors['eight']!.data);
    model.close();
  });

  it('tensors are copies', async () => {
    const { model } = await load();
    (model.tensor('plain').data as Float32Array).fill(7);
    expect(model.tensor('plain').data).toEqual(values(30, 4));
    model.close();
  });

  it('float32 weights come back exactly', async () => {
    const { model } = await load({ scheme: 'float32' });
    expect(model.tensor('enc.k.weight').data).toEqual(values(33 * 40, 3));
    model.close();
  });

  it.each([true, false])('layers outlive close() and the file, map %s; the model does not', async (map) => {
    const { model, path } = await load({}, { map });
    const x = values(70);
    const layer = model.linear('enc.q');
    const expected = layer.forward(x);
    model.close();
    model.close();
    renameSync(path, `${path}.gone`);
    expect(layer.forward(x)).toEqual(expected);
    const uses = [
      () => model.names,
      () => model.tensorNames,
      () => model.metadata,
      () => model.linear('enc.q'),
      () => model.tensor('plain'),
    ];
    for (const use of uses) expect(use).toThrow(error('ERR_QGEMM_DISPOSED', /was closed/));
    layer.dispose();
  });

  it('a file whose header is not padded works as well: its arrays are copied', async () => {
    const { model, path } = await load();
    const file = parseSafetensors(readFileSync(path));
    for (const shift of ['', 'x', 'xx', 'xxxxx']) {
      const again = Object.fromEntries(
        [...file.tensors].map(([name, { dtype, shape, bytes }]) => [name, { dtype, shape, data: bytes }]),
      );
      const other = join(temporaryFolder(), 'shifted.safetensors');
      writeFileSync(other, safetensorsBytes(again, { ...file.metadata, shift }));
      const x = values(70);
      const shifted = loadModel(other);
      expect(shifted.linear('enc.q').forward(x)).toEqual(model.linear('enc.q').forward(x));
      expect(bytesOf(shifted.tensor('ids').data)).toEqual(bytesOf(tensors['ids']!.data));
      shifted.close();
    }
    model.close();
  });

  it.each([undefined, 1, '', 'a\0b'])('path %j is refused', (path) => {
    expect(() => loadModel(path as string)).toThrow(error('ERR_QGEMM_ARGUMENT', /path must be a path/));
  });

  it('unknown names are refused with the names that exist', async () => {
    const { model } = await load();
    expect(() => model.linear('enc')).toThrow(error('ERR_QGEMM_ARGUMENT', /layer of .*: "enc.q", "enc.k"; got "enc"/));
    expect(() => model.linear('plain')).toThrow(error('ERR_QGEMM_ARGUMENT', /got "plain"/));
    expect(() => model.linear('__proto__')).toThrow(error('ERR_QGEMM_ARGUMENT', /got "__proto__"/));
    expect(() => model.linear(1 as never)).toThrow(error('ERR_QGEMM_ARGUMENT', /name must be a string/));
    expect(() => model.linear('enc.q', { activation: 'tanh' as never })).toThrow(
      error('ERR_QGEMM_ARGUMENT', /activation/),
    );
    expect(() => model.linear('enc.q', { bias: new Float32Array(3) })).toThrow(error('ERR_QGEMM_SHAPE', /bias/));
    expect(() => model.linear('enc.q', { biass: null } as never)).toThrow(
      error('ERR_QGEMM_ARGUMENT', /no option "biass"/),
    );
    expect(() => model.tensor('enc.q')).toThrow(error('ERR_QGEMM_ARGUMENT', /tensor of .*10 in all.*got "enc.q"/));
    model.close();
  });

  it('files that are not ours are refused with what to do', () => {
    const folder = temporaryFolder();
    const plain = writeSafetensors(join(folder, 'plain.safetensors'), tensors);
    expect(() => loadModel(plain)).toThrow(error('ERR_QGEMM_FORMAT', /run qgemm convert/));
    expect(() => loadModel(plain, { map: 1 as never })).toThrow(error('ERR_QGEMM_ARGUMENT', /map must be a boolean/));
    expect(() => loadModel(plain, { mapped: true } as never)).toThrow(
      error('ERR_QGEMM_ARGUMENT', /no option "mapped"/),
    );
  });

  it.each([true, false])(
    'files that cannot be read are refused in the words of every other function (map: %s)',
    (map) => {
      const folder = temporaryFolder();
      const absent = join(folder, 'absent');
      const empty = join(folder, 'empty');
      writeFileSync(empty, '');
      const message = (action: () => unknown): string => {
        try {
          action();
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(QgemmError);
          expect((thrown as QgemmError).code).toBe('ERR_QGEMM_IO');
          return (thrown as QgemmError).message;
        }
        throw new Error('not refused');
      };
      expect(message(() => loadModel(absent, { map }))).toBe(message(() => inspect(absent)));
      expect(message(() => loadModel(folder, { map }))).toContain('cannot read "');
      expect(message(() => loadModel(empty, { map }))).toMatch(/^cannot read ".*": the file is empty$/);
    },
  );

  it('names that are prefixes of each other stay apart', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'out');
    await convert(
      writeSafetensors(join(folder, 'in.safetensors'), { a: f32([2, 3], 1), 'a.weight': f32([4, 3], 2) }),
      path,
      { include: ['a*'] },
    );
    const model = loadModel(path);
    expect(model.names).toEqual(['a', 'a.weight']);
    expect([model.linear('a').n, model.linear('a.weight').n]).toEqual([2, 4]);
    model.close();
  });
});
