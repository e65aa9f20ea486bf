// @ts-check
// How close two sets of embeddings are. Rows have length 1, so a dot product is a cosine.

/** @param {readonly number[]} values at least one @returns {number} */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/**
 * Dot product of row i of a and row j of b.
 * @param {Float32Array} a @param {number} i @param {Float32Array} b @param {number} j @param {number} width
 */
export function dotOfRows(a, i, b, j, width) {
  let sum = 0;
  for (let d = 0; d < width; d++) sum += (a[i * width + d] ?? NaN) * (b[j * width + d] ?? NaN);
  return sum;
}

/**
 * Cosine of each row of a to the same row of b: dot / (|a| |b|), lengths computed, so that rounding in them cancels.
 * @param {Float32Array} a [rows, width] @param {Float32Array} b [rows, width] @param {number} width
 * @returns {number[]}
 */
export function rowCosines(a, b, width) {
  return Array.from({ length: a.length / width }, (_, row) => {
    const lengths = dotOfRows(a, row, a, row, width) * dotOfRows(b, row, b, row, width);
    return dotOfRows(a, row, b, row, width) / Math.sqrt(lengths);
  });
}

/**
 * Similarity of every pair of rows i < j.
 * @param {Float32Array} x [rows, width] @param {number} width
 */
export function pairSimilarities(x, width) {
  const rows = x.length / width;
  const similarities = new Float64Array((rows * (rows - 1)) / 2);
  let pair = 0;
  for (let i = 0; i < rows; i++) {
    for (let j = i + 1; j < rows; j++) similarities[pair++] = dotOfRows(x, i, x, j, width);
  }
  return similarities;
}

/**
 * Spearman's rank correlation: Pearson's correlation of the ranks, ties sharing their mean rank. NaN where one of the
 * lists is constant or shorter than two.
 * @param {Float64Array} x @param {Float64Array} y as long as x
 */
export function rankCorrelation(x, y) {
  const a = ranks(x);
  const b = ranks(y);
  const mean = (x.length - 1) / 2;
  let ab = 0;
  let aa = 0;
  let bb = 0;
  a.forEach((rank, i) => {
    const u = rank - mean;
    const v = (b[i] ?? NaN) - mean;
    ab += u * v;
    aa += u * u;
    bb += v * v;
  });
  return ab / Math.sqrt(aa * bb);
}

/** @param {Float64Array} values @returns {Float64Array} rank of each value from 0, ties sharing their mean rank */
function ranks(values) {
  const order = Uint32Array.from(values, (_, i) => i).sort((i, j) => (values[i] ?? NaN) - (values[j] ?? NaN));
  const result = new Float64Array(values.length);
  for (let begin = 0, end; begin < order.length; begin = end) {
    const value = values[order[begin] ?? 0];
    for (end = begin + 1; end < order.length && values[order[end] ?? 0] === value;) end++;
    for (const i of order.subarray(begin, end)) result[i] = (begin + end - 1) / 2;
  }
  return result;
}

/**
 * Pairs of rows that are close: each row with its nearest other row, most similar pairs first, no row twice.
 * @param {Float32Array} x [rows, width] @param {number} width @param {number} count pairs at most
 * @returns {Array<{ row: number, neighbour: number, similarity: number }>}
 */
export function nearestPairs(x, width, count) {
  const rows = x.length / width;
  const pairs = Array.from({ length: rows }, (_, row) => {
    const pair = { row, neighbour: -1, similarity: -Infinity };
    for (let other = 0; other < rows; other++) {
      const similarity = dotOfRows(x, row, x, other, width);
      if (other !== row && similarity > pair.similarity) Object.assign(pair, { neighbour: other, similarity });
    }
    return pair;
  });
  /** @type {Set<number>} */
  const used = new Set();
  return pairs
    .filter(({ neighbour }) => neighbour >= 0)
    .sort((a, b) => b.similarity - a.similarity)
    .filter(({ row, neighbour }) => !used.has(row) && !used.has(neighbour) && used.add(row).add(neighbour))
    .slice(0, count);
}
