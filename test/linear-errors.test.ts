import { describe, expect, it } from 'vitest';
import { Linear, PackedWeights, QgemmError } from '../lib/index.js';
import { randomFloats } from './support/random.js';

const [n, k] = [3, 4];
const w = PackedWeights.fromFloat32(randomFloats(n * k, 1), [n, k]);
const linear = new Linear(w);
const x = randomFloats(2 * k, 2);

function detached(length: number): Float32Array {
  const array = new Float32Array(length);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

const forwardErrors: [string, unknown[], string, RegExp][] = [
  ['no x', [], 'ARGUMENT', /^x must be a Float32Array, got undefined$/],
  ['an array', [[1, 2, 3, 4]], 'ARGUMENT', /^x must be a Float32Array, got \[1, 2, 3, 4\]$/],
  ['a Float64Array', [new Float64Array(4)], 'DTYPE', /^x must be a Float32Array, got Float64Array\(4\)$/],
  ['a Buffer', [Buffer.alloc(16)], 'DTYPE', /^x must be a Float32Array/],
  [
    'a length that K does not divide',
    [new Float32Array(7)],
    'SHAPE',
    /^x must have a multiple of K = 4 elements, got 7$/,
  ],
  ['a detached x', [detached(8)], 'DETACHED', /^x must be attached/],
  ['out of the wrong class', [x, new Int32Array(6)], 'DTYPE', /^out must be a Float32Array, got Int32Array\(6\)$/],
  ['out that is too short', [x, new Float32Array(5)], 'SHAPE', /^out must have 6 elements .*, got 5$/],
  ['out that is too long', [x, new Float32Array(7)], 'SHAPE', /^out must have 6 elements .*, got 7$/],
  ['a detached out', [x, detached(6)], 'DETACHED', /^out must be attached/],
  ['a null out', [x, null], 'ARGUMENT', /^out must be a Float32Array, got null$/],
  ['a Proxy of a Float32Array', [new Proxy(x, {})], 'ARGUMENT', /x must be a/],
];

describe('Linear.forward refuses', () => {
  it.each(forwardErrors)('%s', async (_, args, code, message) => {
    const expected = {
      name: 'QgemmError',
      code: `ERR_QGEMM_${code}`,
      message: expect.stringMatching(message) as string,
    };
    const forward = linear.forward.bind(linear) as (...values: unknown[]) => unknown;
    expect(() => forward(...args)).toThrow(QgemmError);
    expect(() => forward(...args)).toThrow(expect.objectContaining(expected));
    const [input, out] = args;
    const options = args.length > 1 ? { out } : undefined;
    await expect(linear.forwardAsync(input as Float32Array, options as object)).rejects.toMatchObject(expected);
  });

  it('lengths that lie: native code looks at the memory itself', () => {
    const lying = new Float32Array(4);
    Object.defineProperty(lying, 'length', { value: 4 * 1024 });
    expect(() => linear.forward(lying)).toThrow(expect.objectContaining({ code: 'ERR_QGEMM_SHAPE' }));
    const short = new Float32Array(1);
    Object.defineProperty(short, 'length', { value: 6 });
    expect(() => linear.forward(x, short)).toThrow(expect.objectContaining({ code: 'ERR_QGEMM_SHAPE' }));
  });
});

describe('new Linear refuses', () => {
  it.each<[string, unknown[], string]>([
    ['no weights', [], 'ARGUMENT'],
    ['something else', [{ n: 3, k: 4 }], 'ARGUMENT'],
    ['another Linear', [linear], 'ARGUMENT'],
    ['a bias that is no array', [w, { bias: 1 }], 'ARGUMENT'],
    ['a bias of another class', [w, { bias: new Float64Array(3) }], 'DTYPE'],
    ['a bias of another length', [w, { bias: new Float32Array(4) }], 'SHAPE'],
    ['a detached bias', [w, { bias: detached(3) }], 'DETACHED'],
    ['an unknown activation', [w, { activation: 'tanh' }], 'ARGUMENT'],
    ['an unknown nonFinite', [w, { nonFinite: true }], 'ARGUMENT'],
    ['an unknown option', [w, { bais: new Float32Array(3) }], 'ARGUMENT'],
    ['options that are no object', [w, 'relu'], 'ARGUMENT'],
  ])('%s', (_, args, code) => {
    const Constructor = Linear as unknown as new (...values: unknown[]) => Linear;
    expect(() => new Constructor(...args)).toThrow(
      expect.objectContaining({ name: 'QgemmError', code: `ERR_QGEMM_${code}` }),
    );
  });
});
