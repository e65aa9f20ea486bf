// @ts-check
import { EMBEDDING_WIDTH } from './encoder.mjs';
import { dotOfRows, pairSimilarities, rankCorrelation, rowCosines } from './statistics.mjs';

/** @typedef {{ cosineMean: number, cosineMin: number, rankCorrelation: number | null, pairs: number }} Accuracy */

/** What int8 must reach against float32 on the built-in sentences. */
export const BARS = { cosineMean: 0.9993, cosineMin: 0.998, rankCorrelation: 0.999 };

/** Rows that pairs are made of: their number grows with the square. */
export const MAX_PAIR_ROWS = 1000;

/**
 * How close int8 embeddings are to float32 ones. The rank correlation is that of the similarities of all pairs among
 * the first 1000 rows; null where fewer than two pairs exist.
 * @param {Float32Array} float32 [rows, 512] @param {Float32Array} int8 [rows, 512]
 * @returns {Accuracy}
 */
export function compareEmbeddings(float32, int8) {
  const cosines = rowCosines(float32, int8, EMBEDDING_WIDTH);
  const head = MAX_PAIR_ROWS * EMBEDDING_WIDTH;
  const expected = pairSimilarities(float32.subarray(0, head), EMBEDDING_WIDTH);
  const actual = pairSimilarities(int8.subarray(0, head), EMBEDDING_WIDTH);
  return {
    cosineMean: cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length,
    cosineMin: cosines.reduce((least, cosine) => Math.min(least, cosine), Infinity),
    rankCorrelation: expected.length < 2 ? null : rankCorrelation(expected, actual),
    pairs: expected.length,
  };
}

/** @param {Accuracy} accuracy @returns {boolean} */
export function meetsBars(accuracy) {
  return (
    accuracy.cosineMean >= BARS.cosineMean &&
    accuracy.cosineMin >= BARS.cosineMin &&
    (accuracy.rankCorrelation === null || accuracy.rankCorrelation >= BARS.rankCorrelation)
  );
}

/** Two ways to ask the same, then sentences about something else. */
export const PARAPHRASE = {
  pair: ['How old are you?', 'What is your age?'],
  unrelated: [
    'The stock market fell sharply on Monday.',
    'She planted tomatoes behind the house.',
    'Turn left at the second traffic light.',
    'The compiler reports a missing semicolon.',
    'Rain is expected in the mountains tonight.',
  ],
  /** The paraphrase must be at least this much more similar than the most similar unrelated pair. */
  margin: 0.4,
};

/** The sentences of PARAPHRASE in the order that `compareParaphrase` wants their embeddings in. */
export const PARAPHRASE_TEXTS = [...PARAPHRASE.pair, ...PARAPHRASE.unrelated];

/**
 * @param {Float32Array} embeddings of PARAPHRASE_TEXTS
 * @returns {{ paraphrase: number, unrelatedMax: number, passed: boolean }}
 */
export function compareParaphrase(embeddings) {
  const rows = PARAPHRASE_TEXTS.length;
  const paraphrase = dotOfRows(embeddings, 0, embeddings, 1, EMBEDDING_WIDTH);
  let unrelatedMax = -1;
  for (let i = 0; i < rows; i++) {
    for (let j = Math.max(i + 1, PARAPHRASE.pair.length); j < rows; j++) {
      unrelatedMax = Math.max(unrelatedMax, dotOfRows(embeddings, i, embeddings, j, EMBEDDING_WIDTH));
    }
  }
  return { paraphrase, unrelatedMax, passed: paraphrase >= unrelatedMax + PARAPHRASE.margin };
}
