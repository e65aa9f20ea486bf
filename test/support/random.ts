/** Reproducible numbers in [-1, 1): a linear congruential generator (Numerical Recipes), high bits only. */
export function randomFloats(length: number, seed = 1): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length);
  let state = seed >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = (state >>> 8) / 2 ** 23 - 1;
  }
  return values;
}

/** Reproducible integers in [low, high]. */
export function randomIntegers(length: number, low: number, high: number, seed = 1): number[] {
  return Array.from(randomFloats(length, seed), (value) => low + Math.floor(((value + 1) / 2) * (high - low + 1)));
}
