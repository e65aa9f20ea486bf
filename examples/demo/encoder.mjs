// @ts-check
// The forward pass of Universal Sentence Encoder lite, by hand: what the published graph computes, the texts of a batch
// one after another without padding. The ten matmuls by weights are qgemm `Linear`s; the rest is float32 JavaScript.
import { attend } from './attention.mjs';
import { EmbeddingLookup, MAX_TOKENS } from './embedding-lookup.mjs';
import { addInPlace, layerNorm, meanOfRows, tanhAndNormalize } from './rows.mjs';
import { Scratch } from './scratch.mjs';

/** @typedef {import('./use-lite.mjs').Weights} Weights */
/** @typedef {import('./use-lite.mjs').Layer} Layer */
/** @typedef {ReadonlyArray<readonly number[]>} Texts token ids of each text */

/** Columns of an embedding. */
export const EMBEDDING_WIDTH = 512;
/** Tokens of one batch, at least MAX_TOKENS: enough rows to keep the kernels busy, few enough to stay in the caches. */
const BATCH_TOKENS = 256;
/** Texts of one batch: bounds the last matmul when texts are very short or empty. */
const BATCH_TEXTS = 128;

export class Encoder {
  #weights;
  #lookup;
  #scratch = new Scratch();
  /** Milliseconds spent in the ten matmuls by weights so far. */
  matmulMs = 0;

  /** @param {Weights} weights */
  constructor(weights) {
    this.#weights = weights;
    this.#lookup = new EmbeddingLookup(weights.embedding, weights.frequencies);
  }

  /**
   * Embeds texts given as token ids. A text without any is legal. What a text gives does not depend on its neighbours.
   * @param {Texts} texts
   * @returns {Float32Array} [texts, 512], each row of length 1
   */
  embed(texts) {
    const embeddings = new Float32Array(texts.length * EMBEDDING_WIDTH);
    let begin = 0;
    for (const batch of batches(texts)) {
      const end = begin + batch.length;
      this.#embedBatch(batch, embeddings.subarray(begin * EMBEDDING_WIDTH, end * EMBEDDING_WIDTH));
      begin = end;
    }
    return embeddings;
  }

  /** @param {Texts} texts @param {Float32Array} out [texts, 512] */
  #embedBatch(texts, out) {
    const tokens = texts.reduce((sum, ids) => sum + ids.length, 0);
    let x = this.#scratch.array('embedded', tokens * this.#lookup.width);
    this.#lookup.write(texts, x);
    for (const layer of this.#weights.layers) x = this.#layer(layer, texts, tokens, x);

    const pooled = this.#scratch.array('pooled', out.length);
    let begin = 0;
    for (const [index, ids] of texts.entries()) {
      meanOfRows(x, begin, ids.length, pooled.subarray(index * EMBEDDING_WIDTH, (index + 1) * EMBEDDING_WIDTH));
      begin += ids.length;
    }
    this.#multiply(this.#weights.output, pooled, out);
    tanhAndNormalize(out, EMBEDDING_WIDTH);
  }

  /**
   * One transformer layer, normalizing before each half: x + attention(norm(x)), then x + ffn(norm(x)).
   * @param {Layer} layer @param {Texts} texts @param {number} tokens @param {Float32Array} x [tokens, layer.width]
   * @returns {Float32Array} [tokens, 512]
   */
  #layer(layer, texts, tokens, x) {
    const normalized = this.#scratch.array('attention.norm', tokens * layer.width);
    const qkv = this.#scratch.array('qkv', tokens * 3 * layer.width);
    const attended = this.#scratch.array('attended', tokens * layer.width);
    layerNorm(x, tokens, layer.attentionNorm, normalized);
    this.#multiply(layer.qkv, normalized, qkv);
    this.#attend(layer, texts, qkv, attended);

    const sum = this.#scratch.array(`sum.${layer.width}`, tokens * EMBEDDING_WIDTH);
    this.#multiply(layer.attentionOut, attended, sum);
    addInPlace(sum, layer.adjust === undefined ? x : this.#adjust(layer.adjust, x, tokens), sum.length);

    const hidden = this.#scratch.array('ffn.hidden', tokens * layer.ffnIn.n);
    const ffn = this.#scratch.array('ffn', sum.length);
    const ffnInput = this.#scratch.array('ffn.norm', sum.length);
    layerNorm(sum, tokens, layer.ffnNorm, ffnInput);
    this.#multiply(layer.ffnIn, ffnInput, hidden);
    this.#multiply(layer.ffnOut, hidden, ffn);
    addInPlace(sum, ffn, sum.length);
    return sum;
  }

  /** @param {Layer} layer @param {Texts} texts @param {Float32Array} qkv @param {Float32Array} out */
  #attend(layer, texts, qkv, out) {
    const scores = this.#scratch.array('scores', MAX_TOKENS * MAX_TOKENS);
    let begin = 0;
    for (const ids of texts) {
      attend(qkv, begin, ids.length, layer, scores, out);
      begin += ids.length;
    }
  }

  /** @param {import('qgemm').Linear} linear @param {Float32Array} x @param {number} tokens */
  #adjust(linear, x, tokens) {
    const out = this.#scratch.array('adjusted', tokens * EMBEDDING_WIDTH);
    this.#multiply(linear, x, out);
    return out;
  }

  /** @param {import('qgemm').Linear} linear @param {Float32Array} x @param {Float32Array} out */
  #multiply(linear, x, out) {
    const start = performance.now();
    linear.forward(x, out);
    this.matmulMs += performance.now() - start;
  }
}

/**
 * Cuts a list of texts into batches of at most BATCH_TEXTS texts and BATCH_TOKENS tokens, each text clipped to
 * MAX_TOKENS.
 * @param {Texts} texts
 */
function* batches(texts) {
  /** @type {Array<readonly number[]>} */
  let batch = [];
  let tokens = 0;
  for (const text of texts) {
    const ids = text.slice(0, MAX_TOKENS);
    if (batch.length === BATCH_TEXTS || tokens + ids.length > BATCH_TOKENS) {
      yield batch;
      batch = [];
      tokens = 0;
    }
    batch.push(ids);
    tokens += ids.length;
  }
  if (batch.length > 0) yield batch;
}
