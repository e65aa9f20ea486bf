import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { convert, inspect, loadModel, QgemmError } from '../../lib/index.js';
import {
  f32,
  parseSafetensors,
  rawSafetensors,
  temporaryFolder,
  values,
  writeSafetensors,
} from '../support/safetensors.js';
import { runs } from '../support/runs.js';
import { graphTopology, tfjsFiles, writeFiles } from '../support/tfjs.js';

/** Runs an action that may fail, but only with a QgemmError. */
function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(QgemmError);
  }
}

/** A text with some characters replaced, inserted or removed, mostly by what matters in JSON. */
function mutated(text: string): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '0', '-1', '9007199254740992', 'null', '64', '33'),
    fc.string({ maxLength: 3 }),
  );
  const change = fc.tuple(fc.nat(text.length), fc.nat(4), piece);
  return fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) =>
      changes.reduce(
        (result, [at, removed, inserted]) => result.slice(0, at) + inserted + result.slice(at + removed),
        text,
      ),
    );
}

/** A JSON value in which a few leaves have become something else. */
function mutatedValue(value: unknown): fc.Arbitrary<unknown> {
  const leaf = fc.constantFrom<unknown>(
    null,
    true,
    -1,
    0,
    1,
    1.5,
    2 ** 31,
    2 ** 53,
    '',
    'int8',
    'F32',
    '..',
    [],
    {},
    [1, 2],
    ['x'],
  );
  const count = JSON.stringify(value).split(/[,:[{]/).length;
  return fc.tuple(fc.array(fc.nat(count), { minLength: 1, maxLength: 2 }), leaf).map(([targets, replacement]) => {
    let seen = 0;
    return JSON.parse(JSON.stringify(value), (_, item: unknown) =>
      targets.includes(seen++) ? replacement : item,
    ) as unknown;
  });
}

describe('random changes give a QgemmError or a model, never a crash', () => {
  it('model.json of TensorFlow.js', () => {
    const graph = graphTopology([
      { name: 'w', op: 'Const' },
      { name: 'b', op: 'Const' },
      { name: 'i', op: 'Identity', input: ['w'] },
      {
        name: 'm',
        op: '_FusedMatMul',
        input: ['x', 'i', 'b'],
        attr: { transpose_b: { b: false }, fused_ops: { list: { s: ['Qmlhc0FkZA=='] } } },
      },
    ]);
    const files = tfjsFiles(graph, [
      { name: 'w', shape: [2, 3], dtype: 'float32', data: values(6) },
      {
        name: 'b',
        shape: [3],
        dtype: 'float32',
        data: new Uint8Array(3),
        quantization: { dtype: 'uint8', scale: 1, min: 0 },
      },
    ]);
    const path = writeFiles(temporaryFolder(), files);
    const text = files['model.json'] as string;
    const texts = fc.oneof(
      mutated(text),
      mutatedValue(JSON.parse(text)).map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(texts, (changed) => {
        writeFileSync(path, changed);
        attempt(() => inspect(path));
      }),
      { numRuns: runs(300) },
    );
  });

  it('the index of a sharded model', () => {
    const folder = temporaryFolder();
    writeSafetensors(join(folder, 'a.safetensors'), { 'a.weight': f32([2, 2]) });
    const path = join(folder, 'model.safetensors.index.json');
    const text = JSON.stringify({ metadata: { total_size: 16 }, weight_map: { 'a.weight': 'a.safetensors' } });
    fc.assert(
      fc.property(
        fc.oneof(
          mutated(text),
          mutatedValue(JSON.parse(text)).map((value) => JSON.stringify(value)),
        ),
        (changed) => {
          writeFileSync(path, changed);
          attempt(() => inspect(path));
        },
      ),
      { numRuns: runs(200) },
    );
  });

  it('a converted file: what still loads also multiplies', async () => {
    const folder = temporaryFolder();
    const original = writeSafetensors(join(folder, 'in.safetensors'), {
      'a.weight': f32([5, 70]),
      'a.bias': f32([5]),
      b: f32([3]),
    });
    const path = join(folder, 'out.safetensors');
    await convert(original, path, { symmetric: false });
    const file = readFileSync(path);
    const { metadata, tensors } = parseSafetensors(file);
    const start = 8 + Number(file.readBigUInt64LE());
    const header = JSON.parse(file.toString('utf8', 8, start)) as Record<string, unknown>;
    const record = JSON.parse(metadata['qgemm.weight.a.weight']!) as unknown;
    const records = mutatedValue(record).map((value) => ({
      ...header,
      __metadata__: { ...metadata, 'qgemm.weight.a.weight': JSON.stringify(value) },
    }));
    const headers = fc.oneof(records, mutatedValue(header)).map((value) => JSON.stringify(value));
    expect(tensors.size).toBe(6);
    fc.assert(
      fc.property(fc.oneof(headers, mutated(JSON.stringify(header))), (changed) => {
        const target = join(folder, 'changed.safetensors');
        writeFileSync(target, rawSafetensors(changed, file.subarray(start)));
        attempt(() => {
          const model = loadModel(target);
          for (const name of model.names) {
            const layer = model.linear(name);
            layer.forward(new Float32Array(layer.k));
          }
          for (const name of model.tensorNames) model.tensor(name);
          model.close();
        });
      }),
      { numRuns: runs(300) },
    );
  });
});
