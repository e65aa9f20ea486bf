// @ts-check
// Everything the demo finds out, as data.
import { cpuInfo, loadModel } from 'qgemm';
import { compareEmbeddings, compareParaphrase, MAX_PAIR_ROWS, meetsBars, PARAPHRASE_TEXTS } from './accuracy.mjs';
import { EMBEDDING_WIDTH, Encoder } from './encoder.mjs';
import { measureMemory } from './memory.mjs';
import { convertModel, readVocabulary, sourceBytes } from './model-files.mjs';
import { measureSpeed } from './speed.mjs';
import { nearestPairs } from './statistics.mjs';
import { Tokenizer } from './tokenizer.mjs';
import { gatherWeights } from './use-lite.mjs';

/** @typedef {Awaited<ReturnType<typeof collectResults>>['results']} Results */

const NEIGHBOURS = 4;
/** Texts that time and memory are measured with; more would tell the same. */
const MAX_MEASURED_TEXTS = 500;

/**
 * @param {{ texts: string[], source: string, barsApply: boolean, rounds: number }} input `source` says where the texts
 *   come from, `barsApply` whether the accuracy bars are meant for them
 * @param {(line: string) => void} progress
 */
export async function collectResults({ texts, source, barsApply, rounds }, progress) {
  progress('converting the model to float32 and to int8 panels');
  const files = { float32: await convertModel('float32'), int8: await convertModel('int8') };
  const tokenizer = new Tokenizer(readVocabulary());
  const ids = texts.map((text) => tokenizer.encode(text));

  progress('measuring memory, one process for each variant');
  const memory = {
    float32: memoryResults(await measureMemory(files.float32.path, ids.slice(0, MAX_MEASURED_TEXTS))),
    int8: memoryResults(await measureMemory(files.int8.path, ids.slice(0, MAX_MEASURED_TEXTS))),
  };

  progress(`embedding ${texts.length} texts with both`);
  const encoders = {
    float32: new Encoder(gatherWeights(loadModel(files.float32.path))),
    int8: new Encoder(gatherWeights(loadModel(files.int8.path))),
  };
  const float32 = encoders.float32.embed(ids);
  const int8 = encoders.int8.embed(ids);
  const paraphraseIds = PARAPHRASE_TEXTS.map((text) => tokenizer.encode(text));
  const paraphrase = {
    float32: compareParaphrase(encoders.float32.embed(paraphraseIds)),
    int8: compareParaphrase(encoders.int8.embed(paraphraseIds)),
  };

  progress('timing');
  const { isa, model: cpu, numThreads } = cpuInfo();
  const timing = measureSpeed(encoders, tokenizer, texts.slice(0, MAX_MEASURED_TEXTS), rounds);
  const accuracy = compareEmbeddings(float32, int8);
  const pairs = nearestPairs(int8.subarray(0, MAX_PAIR_ROWS * EMBEDDING_WIDTH), EMBEDDING_WIDTH, NEIGHBOURS);
  return {
    results: {
      machine: { cpu, isa, threads: numThreads, node: process.versions.node },
      texts: { source, count: texts.length, tokens: ids.reduce((sum, { length }) => sum + length, 0) },
      files: { source: { bytes: sourceBytes() }, ...files },
      memory,
      speed: timing,
      accuracy,
      paraphrase,
      barsApply,
      passed: paraphrase.float32.passed && paraphrase.int8.passed && (!barsApply || meetsBars(accuracy)),
      neighbours: pairs.map(({ row, neighbour, similarity }) => ({
        similarity,
        texts: /** @type {[string, string]} */ ([texts[row], texts[neighbour]]),
      })),
    },
    embeddings: int8,
  };
}

/** @param {import('./memory.mjs').MemoryUse} use */
function memoryResults({ before, after }) {
  const isPrivateKnown = after.anonymous !== null && before.anonymous !== null;
  return {
    resident: after.rss,
    added: after.rss - before.rss,
    addedPrivate: isPrivateKnown ? Number(after.anonymous) - Number(before.anonymous) : null,
  };
}
