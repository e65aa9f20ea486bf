import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert, inspect, loadModel, QgemmError, verify } from '../../lib/index.js';
import { temporaryFolder } from '../support/safetensors.js';
import { writeFiles } from '../support/tfjs.js';
import { CATALOGUE } from './catalogue.js';
import { packedCases, soundPackedFile } from './packed-cases.js';
import { safetensorsCases } from './safetensors-cases.js';

/** Generous for a machine that does other things: each case takes some milliseconds alone. */
const MAX_MS = process.env['QGEMM_TEST_LAUNCHER'] ? 30_000 : 3000;

async function refused(code: string, action: () => unknown): Promise<void> {
  const started = performance.now();
  let error: unknown;
  try {
    await action();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(QgemmError);
  expect((error as QgemmError).message).not.toMatch(/\n/);
  expect((error as QgemmError).message.length).toBeLessThan(600);
  expect({ code: (error as QgemmError).code, message: (error as QgemmError).message }).toMatchObject({ code });
  expect(performance.now() - started).toBeLessThan(MAX_MS);
}

async function refusedEverywhere(code: string, folder: string, input: string): Promise<void> {
  const before = readdirSync(folder);
  const output = join(folder, 'output.safetensors');
  await refused(code, () => convert(input, output));
  await refused(code, () => inspect(input));
  await refused(code, () => verify(input, output));
  expect(readdirSync(folder)).toEqual(before);
}

/** A folder is not known to hold a model by these. */
const LONE_FILES = ['NumPy'];
const originals = Object.entries(CATALOGUE).filter(([format]) => format !== 'packed safetensors');

describe.each(originals)('hostile: %s', (format, cases) => {
  it.each(cases)('$name: $code', async ({ code, files }) => {
    const folder = temporaryFolder();
    await refusedEverywhere(code, folder, writeFiles(folder, files));
    if (!LONE_FILES.includes(format)) await refusedEverywhere(code, folder, folder);
  });
});

describe('hostile safetensors files, loaded', () => {
  it.each(safetensorsCases)('$name: $code', async ({ code, bytes }) => {
    const input = join(temporaryFolder(), 'model.safetensors');
    writeFileSync(input, bytes);
    // An empty file cannot be mapped at all.
    await refused(bytes.length === 0 ? 'ERR_QGEMM_IO' : code, () => loadModel(input));
    await refused(bytes.length === 0 ? 'ERR_QGEMM_IO' : code, () => loadModel(input, { map: false }));
  });
});

describe('hostile packed files', () => {
  it('the file that the cases break is sound itself', () => {
    const input = join(temporaryFolder(), 'model.safetensors');
    writeFileSync(input, soundPackedFile);
    const model = loadModel(input);
    expect(model.names).toEqual(['a']);
    expect(model.linear('a').forward(new Float32Array(40))).toEqual(new Float32Array(8));
    model.close();
  });

  it.each(packedCases)('$name: $code', async ({ code, bytes }) => {
    const folder = temporaryFolder();
    const input = join(folder, 'model.safetensors');
    writeFileSync(input, bytes);
    await refused(code, () => loadModel(input));
    await refused(code, () => loadModel(input, { map: false }));
    await refused(code, () => inspect(input));
    await refused('ERR_QGEMM_FORMAT', () => convert(input, join(folder, 'output.safetensors')));
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });
});
