// @ts-check
// Row operations of the transformer on row-major [rows, width] matrices: float32 in memory, sums in float64.

/** Added to the variance of layer normalization; the graph's constant. */
const LAYER_NORM_EPSILON = 1e-6;
/** Smallest squared length that is divided by; the graph's constant. */
const SQUARED_LENGTH_FLOOR = 1e-12;

/**
 * out = gain * (x - mean(x)) / sqrt(variance(x) + 1e-6) + bias, row by row (Ba et al. 2016,
 * https://arxiv.org/abs/1607.06450). One pass for both moments, variance = mean(x^2) - mean(x)^2: what cancels there is
 * far below float32's precision, as the sums are float64. Two sums each, so that additions need not wait for each other.
 * @param {Float32Array} x [rows, width] @param {number} rows
 * @param {{ gain: Float32Array, bias: Float32Array }} norm width values each, width even
 * @param {Float32Array} out [rows, width]
 */
export function layerNorm(x, rows, { gain, bias }, out) {
  const width = gain.length;
  for (let row = 0; row < rows * width; row += width) {
    let sum0 = 0;
    let sum1 = 0;
    let squares0 = 0;
    let squares1 = 0;
    for (let i = row; i < row + width; i += 2) {
      const a = at(x, i);
      const b = at(x, i + 1);
      sum0 += a;
      sum1 += b;
      squares0 += a * a;
      squares1 += b * b;
    }
    const mean = (sum0 + sum1) / width;
    const variance = (squares0 + squares1) / width - mean * mean;
    const inverse = 1 / Math.sqrt(variance + LAYER_NORM_EPSILON);
    for (let i = 0; i < width; i++) out[row + i] = at(gain, i) * inverse * (at(x, row + i) - mean) + at(bias, i);
  }
}

/**
 * x[0, count) += y[0, count)
 * @param {Float32Array} x @param {Float32Array} y @param {number} count
 */
export function addInPlace(x, y, count) {
  for (let i = 0; i < count; i++) x[i] = at(x, i) + at(y, i);
}

/**
 * Mean of `length` rows of x from row `begin` on; zeros where there is no row.
 * @param {Float32Array} x [rows, width] @param {number} begin @param {number} length
 * @param {Float32Array} out [width]
 */
export function meanOfRows(x, begin, length, out) {
  const width = out.length;
  const sums = new Float64Array(width);
  for (let row = begin; row < begin + length; row++) {
    for (let i = 0; i < width; i++) sums[i] = at(sums, i) + at(x, row * width + i);
  }
  for (let i = 0; i < width; i++) out[i] = at(sums, i) / Math.max(length, 1);
}

/**
 * x = tanh(x), then each row divided by its length, in place.
 * @param {Float32Array} x [rows, width] @param {number} width
 */
export function tanhAndNormalize(x, width) {
  for (let row = 0; row < x.length; row += width) {
    let squares = 0;
    for (let i = row; i < row + width; i++) {
      const y = (x[i] = Math.tanh(at(x, i)));
      squares += y * y;
    }
    const inverse = 1 / Math.sqrt(Math.max(squares, SQUARED_LENGTH_FLOOR));
    for (let i = row; i < row + width; i++) x[i] = at(x, i) * inverse;
  }
}

/**
 * An element that is known to exist. Inlined by the optimizing compiler.
 * @param {Float32Array | Float64Array} array @param {number} index
 */
function at(array, index) {
  return /** @type {number} */ (array[index]);
}
