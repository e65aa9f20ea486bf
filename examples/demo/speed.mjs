// @ts-check
import { VARIANTS } from './model-files.mjs';
import { median } from './statistics.mjs';

/** @typedef {import('./encoder.mjs').Encoder} Encoder */
/** @typedef {import('./model-files.mjs').Variant} Variant */
/** @typedef {import('./tokenizer.mjs').Tokenizer} Tokenizer */
/** @typedef {{ sentencesPerSecond: number, milliseconds: number, matmulMilliseconds: number }} Speed of one round */

/** Long texts and slow CPUs get fewer rounds than asked for. */
const BUDGET_MS = 20_000;

/**
 * Times text to embedding, tokenizing included, for each encoder in turn: what disturbs one disturbs the other too.
 * @param {Record<Variant, Encoder>} encoders @param {Tokenizer} tokenizer @param {string[]} texts
 * @param {number} maxRounds
 * @returns {Record<Variant, Speed> & { rounds: number, texts: number }} medians of the rounds
 */
export function measureSpeed(encoders, tokenizer, texts, maxRounds) {
  const samples = { float32: emptySample(), int8: emptySample() };
  const begin = performance.now();
  let rounds = 0;
  while (rounds < maxRounds && (rounds === 0 || performance.now() - begin < BUDGET_MS)) {
    // Every other round in reverse: neither always runs on what the other left in the caches.
    for (const variant of rounds++ % 2 === 0 ? VARIANTS : VARIANTS.toReversed()) {
      const encoder = encoders[variant];
      const matmulBefore = encoder.matmulMs;
      const start = performance.now();
      encoder.embed(texts.map((text) => tokenizer.encode(text)));
      samples[variant].total.push(performance.now() - start);
      samples[variant].matmul.push(encoder.matmulMs - matmulBefore);
    }
  }
  return {
    rounds,
    texts: texts.length,
    float32: summary(samples.float32, texts.length),
    int8: summary(samples.int8, texts.length),
  };
}

/** @typedef {{ total: number[], matmul: number[] }} Sample milliseconds of each round */

/** @returns {Sample} */
const emptySample = () => ({ total: [], matmul: [] });

/** @param {Sample} sample @param {number} texts @returns {Speed} */
function summary({ total, matmul }, texts) {
  const milliseconds = median(total);
  return {
    sentencesPerSecond: (1000 * texts) / milliseconds,
    milliseconds,
    matmulMilliseconds: median(matmul),
  };
}
