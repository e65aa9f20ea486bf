// @ts-check
// SentencePiece unigram segmentation (Kudo 2018, https://arxiv.org/abs/1804.10959): the most probable way to write a
// text as pieces of a vocabulary, found by the Viterbi algorithm. Ids equal those of @energetic-ai/embeddings 0.2.0,
// whose tokenizer has a few habits of its own; they are marked below.

/** SentencePiece writes a space as this character, and puts one before the text. */
const SPACE = '\u2581';
/** The first pieces of the vocabulary are control symbols that no text may spell. */
const RESERVED = 6;
const UNKNOWN = 0;

/**
 * A node of the prefix tree over code points.
 * @typedef {{ next: Map<number, TrieNode>, id: number, score: number }} TrieNode
 */

/** @returns {TrieNode} */
const createNode = () => ({ next: new Map(), id: -1, score: 0 });

export class Tokenizer {
  /** @type {TrieNode} */
  #root = createNode();

  /**
   * @param {ReadonlyArray<readonly [piece: string, score: number | null]>} vocabulary pieces with their log
   *   probabilities, the id of a piece being its index. The published file has seven scores of null, which count as 0.
   *   Where a piece appears twice, the last one holds.
   */
  constructor(vocabulary) {
    for (let id = RESERVED; id < vocabulary.length; id++) {
      const [piece, score] = /** @type {readonly [string, number | null]} */ (vocabulary[id]);
      let node = this.#root;
      for (const symbol of piece) {
        const codePoint = /** @type {number} */ (symbol.codePointAt(0));
        let next = node.next.get(codePoint);
        if (next === undefined) node.next.set(codePoint, (next = createNode()));
        node = next;
      }
      node.id = id;
      node.score = score ?? 0;
    }
  }

  /**
   * Token ids of one text. An empty text has none.
   * @param {string} text
   * @returns {number[]}
   */
  encode(text) {
    const normalized = text.normalize('NFKC');
    if (normalized.length === 0) return [];
    const symbols = Array.from(SPACE + normalized.replaceAll(' ', SPACE), (symbol) => symbol.codePointAt(0) ?? 0);
    return mergeUnknown(this.#segment(symbols));
  }

  /**
   * Viterbi over end positions. `best[end]` is the score of the best segmentation of symbols[0, end), 0 also where none
   * was found yet; `idAt` and `startOf` describe the last piece of that segmentation.
   * @param {readonly number[]} symbols code points
   */
  #segment(symbols) {
    const best = new Float64Array(symbols.length + 1);
    const idAt = new Int32Array(symbols.length + 1).fill(UNKNOWN);
    // A position that no piece reaches counts as an unknown symbol, one position long.
    const startOf = Int32Array.from({ length: symbols.length + 1 }, (_, end) => end - 1);

    for (let start = 0; start < symbols.length; start++) {
      let found = false;
      /** @type {TrieNode | undefined} */
      let node = this.#root;
      for (let end = start; end < symbols.length;) {
        node = node.next.get(/** @type {number} */ (symbols[end++]));
        if (node === undefined) break;
        if (node.id < 0) continue;
        found = true;
        relax(start, end, node.score, node.id);
      }
      // Unknown symbols cost nothing in the original; SentencePiece itself gives them a penalty.
      if (!found) relax(start, start + 1, 0, UNKNOWN);
    }

    const ids = [];
    for (let end = symbols.length; end > 0; end = /** @type {number} */ (startOf[end])) ids.push(idAt[end] ?? UNKNOWN);
    return ids.reverse();

    /** @param {number} start @param {number} end @param {number} pieceScore @param {number} id */
    function relax(start, end, pieceScore, id) {
      const score = pieceScore + /** @type {number} */ (best[start]);
      const current = /** @type {number} */ (best[end]);
      // The original takes a score of 0 for "none yet" and lets the later of two equal scores win.
      if (current !== 0 && score < current) return;
      best[end] = score;
      idAt[end] = id;
      startOf[end] = start;
    }
  }
}

/**
 * Neighbouring unknown symbols become one unknown token.
 * @param {readonly number[]} ids
 */
function mergeUnknown(ids) {
  return ids.filter((id, index) => id !== UNKNOWN || ids[index - 1] !== UNKNOWN);
}
