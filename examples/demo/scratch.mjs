// @ts-check

/** Named float32 buffers that grow and are used again, so that a forward pass allocates nothing once it is warm. */
export class Scratch {
  /** @type {Map<string, Float32Array>} */
  #buffers = new Map();

  /**
   * The first `length` values of the named buffer, with whatever the last use left in them.
   * @param {string} name @param {number} length @returns {Float32Array}
   */
  array(name, length) {
    let buffer = this.#buffers.get(name);
    if (buffer === undefined || buffer.length < length) {
      // Rounded up to a power of two: batches differ a little, and each growth leaves garbage behind.
      buffer = new Float32Array(2 ** Math.ceil(Math.log2(Math.max(length, 1))));
      this.#buffers.set(name, buffer);
    }
    return buffer.subarray(0, length);
  }
}
