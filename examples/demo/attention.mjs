// @ts-check
// Scaled dot-product attention of one text (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2), in
// float32 with sums in float64. Texts attend to themselves only, so a batch needs no padding and no mask.
//
// Both products compute tiles of two query rows and four columns: fewer loads per multiplication, twice the speed of one
// value at a time. Where rows run out the last one is repeated: it gives the same value again and saves a second loop.

/**
 * @param {Float32Array} qkv query, key and value of every token, side by side: [tokens, 3 * width]
 * @param {number} begin first token of the text
 * @param {number} length tokens of the text
 * @param {{ heads: number, width: number, scale: number }} shape `width` is that of all heads together
 * @param {Float32Array} scores scratch, at least length * length
 * @param {Float32Array} out [tokens, width]; rows begin .. begin + length are written
 */
export function attend(qkv, begin, length, { heads, width, scale }, scores, out) {
  const depth = width / heads;
  const stride = 3 * width;
  for (let head = 0; head < heads; head++) {
    const query = begin * stride + head * depth;
    scoreRows(qkv, query, query + width, stride, length, depth, scale, scores);
    softmaxRows(scores, length);
    mixRows(scores, length, qkv, query + 2 * width, stride, depth, out, begin * width + head * depth, width);
  }
}

/**
 * scores[i, j] = scale * dot(query[i], key[j]), four keys at a time.
 * @param {Float32Array} qkv @param {number} query @param {number} key @param {number} stride
 * @param {number} length @param {number} depth @param {number} scale @param {Float32Array} scores
 */
function scoreRows(qkv, query, key, stride, length, depth, scale, scores) {
  const last = length - 1;
  for (let i = 0; i < length; i += 2) {
    const i1 = Math.min(i + 1, last);
    const q0 = query + i * stride;
    const q1 = query + i1 * stride;
    for (let j = 0; j < length; j += 4) {
      const j1 = Math.min(j + 1, last);
      const j2 = Math.min(j + 2, last);
      const j3 = Math.min(j + 3, last);
      const k0 = key + j * stride;
      const k1 = key + j1 * stride;
      const k2 = key + j2 * stride;
      const k3 = key + j3 * stride;
      let a0 = 0;
      let a1 = 0;
      let a2 = 0;
      let a3 = 0;
      let b0 = 0;
      let b1 = 0;
      let b2 = 0;
      let b3 = 0;
      for (let d = 0; d < depth; d++) {
        const a = at(qkv, q0 + d);
        const b = at(qkv, q1 + d);
        const c0 = at(qkv, k0 + d);
        const c1 = at(qkv, k1 + d);
        const c2 = at(qkv, k2 + d);
        const c3 = at(qkv, k3 + d);
        a0 += a * c0;
        a1 += a * c1;
        a2 += a * c2;
        a3 += a * c3;
        b0 += b * c0;
        b1 += b * c1;
        b2 += b * c2;
        b3 += b * c3;
      }
      const row0 = i * length;
      const row1 = i1 * length;
      scores[row0 + j] = a0 * scale;
      scores[row0 + j1] = a1 * scale;
      scores[row0 + j2] = a2 * scale;
      scores[row0 + j3] = a3 * scale;
      scores[row1 + j] = b0 * scale;
      scores[row1 + j1] = b1 * scale;
      scores[row1 + j2] = b2 * scale;
      scores[row1 + j3] = b3 * scale;
    }
  }
}

/**
 * Softmax of each row, in place: exp(x - max) / sum.
 * @param {Float32Array} scores [length, length] @param {number} length
 */
function softmaxRows(scores, length) {
  for (let row = 0; row < length * length; row += length) {
    let max = -Infinity;
    for (let j = row; j < row + length; j++) max = Math.max(max, at(scores, j));
    let sum = 0;
    for (let j = row; j < row + length; j++) sum += scores[j] = Math.exp(at(scores, j) - max);
    for (let j = row; j < row + length; j++) scores[j] = at(scores, j) / sum;
  }
}

/**
 * out[i] = sum over j of weights[i, j] * value[j], four columns at a time.
 * @param {Float32Array} weights @param {number} length @param {Float32Array} qkv @param {number} value
 * @param {number} stride @param {number} depth @param {Float32Array} out @param {number} first @param {number} width
 */
function mixRows(weights, length, qkv, value, stride, depth, out, first, width) {
  for (let i = 0; i < length; i += 2) {
    const i1 = Math.min(i + 1, length - 1);
    for (let d = 0; d < depth; d += 4) {
      let a0 = 0;
      let a1 = 0;
      let a2 = 0;
      let a3 = 0;
      let b0 = 0;
      let b1 = 0;
      let b2 = 0;
      let b3 = 0;
      for (let j = 0, v = value + d; j < length; j++, v += stride) {
        const a = at(weights, i * length + j);
        const b = at(weights, i1 * length + j);
        const v0 = at(qkv, v);
        const v1 = at(qkv, v + 1);
        const v2 = at(qkv, v + 2);
        const v3 = at(qkv, v + 3);
        a0 += a * v0;
        a1 += a * v1;
        a2 += a * v2;
        a3 += a * v3;
        b0 += b * v0;
        b1 += b * v1;
        b2 += b * v2;
        b3 += b * v3;
      }
      const o0 = first + i * width + d;
      const o1 = first + i1 * width + d;
      out[o0] = a0;
      out[o0 + 1] = a1;
      out[o0 + 2] = a2;
      out[o0 + 3] = a3;
      out[o1] = b0;
      out[o1 + 1] = b1;
      out[o1 + 2] = b2;
      out[o1 + 3] = b3;
    }
  }
}

/**
 * An element that is known to exist. Inlined by the optimizing compiler.
 * @param {Float32Array} array @param {number} index
 */
function at(array, index) {
  return /** @type {number} */ (array[index]);
}
