// @ts-check

/** Tokens of one text that the model looks at; the graph drops the rest (ClipToMaxLength). */
export const MAX_TOKENS = 128;

/** Token embeddings with the sinusoidal position signal (Vaswani et al. 2017, section 3.5). */
export class EmbeddingLookup {
  #table;
  #signal;
  /** Columns of a token embedding. */
  width;

  /**
   * @param {Float32Array} table [vocabulary, width]
   * @param {Float32Array} frequencies angular frequencies per position: [width / 2]
   */
  constructor(table, frequencies) {
    this.#table = table;
    this.width = 2 * frequencies.length;
    this.#signal = positionSignal(frequencies);
  }

  /**
   * Writes one row per token: 2 * embedding + signal. The graph adds the embedding twice, once with the signal and once
   * plain.
   * @param {ReadonlyArray<readonly number[]>} texts token ids, at most MAX_TOKENS each
   * @param {Float32Array} out [tokens, width]
   */
  write(texts, out) {
    const { width } = this;
    let row = 0;
    for (const ids of texts) {
      for (let position = 0; position < ids.length; position++) {
        const source = (ids[position] ?? 0) * width;
        for (let i = 0; i < width; i++) {
          out[row + i] = 2 * (this.#table[source + i] ?? NaN) + (this.#signal[position * width + i] ?? NaN);
        }
        row += width;
      }
    }
  }
}

/**
 * Sines of position * frequency, then the cosines: [MAX_TOKENS, 2 * frequencies].
 * @param {Float32Array} frequencies
 */
function positionSignal(frequencies) {
  const half = frequencies.length;
  const signal = new Float32Array(MAX_TOKENS * 2 * half);
  for (let position = 0; position < MAX_TOKENS; position++) {
    frequencies.forEach((frequency, i) => {
      const angle = Math.fround(position * frequency);
      signal[position * 2 * half + i] = Math.sin(angle);
      signal[position * 2 * half + half + i] = Math.cos(angle);
    });
  }
  return signal;
}
