import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTensor } from '../../lib/formats/source.js';
import { openModel } from '../../lib/formats/open.js';
import { inspect, loadModel, QgemmError } from '../../lib/index.js';
import { CATALOGUE } from '../hostile/catalogue.js';
import { runs } from '../support/runs.js';
import { writeFiles } from '../support/tfjs.js';
import { mutations } from './mutations.js';
import { firstBytes, seedsOf } from './seeds.js';

/** Files that once broke a parser: they are tried first, every time. */
const CORPUS = join(__dirname, 'corpus');
const ONLY = process.env['QGEMM_FUZZ_TARGET'];
const SECONDS = Number(process.env['QGEMM_FUZZ_SECONDS'] ?? 0);
const MAX_READ = 2 ** 20;

const folderName = (format: string): string => format.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');

/** Opens and reads a model in every way. Whatever its bytes are, only a QgemmError may come out. */
function exercise(path: string, format: string): void {
  attempt(() => inspect(path));
  attempt(() => {
    const source = openModel(path);
    try {
      for (const tensor of [...source.tensors.values()].slice(0, 16)) {
        if (tensor.byteLength <= MAX_READ) attempt(() => void readTensor(tensor));
      }
      for (const { quantized } of source.matmuls.values()) {
        attempt(() => void quantized?.readScales());
        attempt(() => void quantized?.readZeroPoints());
      }
    } finally {
      source.close();
    }
  });
  if (format !== 'packed safetensors') return;
  attempt(() => {
    using model = loadModel(path);
    for (const name of model.names) attempt(() => void model.linear(name).dispose());
  });
}

function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof QgemmError)) throw error;
    expect(error.code).not.toBe('ERR_QGEMM_INTERNAL');
  }
}

/** A file that breaks a parser stays in the corpus. */
function keep(format: string, bytes: Buffer): void {
  const folder = join(CORPUS, folderName(format));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 16)), bytes);
}

const formats = Object.keys(CATALOGUE).filter((format) => ONLY === undefined || folderName(format) === ONLY);

describe('whatever bytes a parser gets, it gives a model or a QgemmError', () => {
  it('has a target of that name', () => expect(formats, String(ONLY)).not.toEqual([]));

  it.each(formats)(
    '%s',
    (format) => {
      const folder = mkdtempSync(join(tmpdir(), 'qgemm-fuzz-'));
      const seeds = seedsOf(format);
      const run = (files: (typeof seeds)[number], bytes: Buffer): void => {
        const path = writeFiles(folder, files);
        writeFileSync(path, bytes);
        exercise(path, format);
      };
      try {
        const corpus = join(CORPUS, folderName(format));
        for (const name of existsSync(corpus) ? readdirSync(corpus) : [])
          run(seeds[0]!, readFileSync(join(corpus, name)));
        const property = fc.property(fc.nat(seeds.length - 1), mutations, (seed, mutate) => {
          const bytes = mutate(firstBytes(seeds[seed]!));
          try {
            run(seeds[seed]!, bytes);
          } catch (error) {
            if (SECONDS > 0) keep(format, bytes);
            throw error;
          }
        });
        const limits = SECONDS > 0 ? { numRuns: 1e9, interruptAfterTimeLimit: SECONDS * 1000 } : { numRuns: runs(150) };
        fc.assert(property, limits);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    (SECONDS + 60) * 1000,
  );
});
