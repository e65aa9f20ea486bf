// Values that JavaScript lets a caller pass and that no signature foresees: the answer is a QgemmError, soon, or the right result.
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Linear, matmulInteger, matmulQuantized, PackedWeights, QgemmError, quantize } from '../lib/index.js';

const x = Float32Array.of(1, 2, 3, 4, 5, 6);
const linear = new Linear(PackedWeights.fromFloat32(x, [2, 3]));
const any = (value: unknown) => value as never;

function thrown(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof QgemmError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('values that cannot be shown are refused like others', () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  const throwing = (target: object, key: string) =>
    Object.defineProperty(target, key, {
      get: () => {
        throw new Error('from the getter');
      },
    });
  it.each<[string, unknown, string]>([
    ['an array that holds itself', cycle, '[[[[...]]]]'],
    ['a typed array without a class', Object.setPrototypeOf(new Float64Array(3), null), 'a view'],
    ['a constructor that throws', throwing({}, 'constructor'), 'an object'],
    ['a function whose name throws', throwing(() => 1, 'name'), 'a function'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['a long bigint', 10n ** 5000n, `1${'0'.repeat(56)}...`],
  ])('%s', (_, value, shown) => {
    expect(thrown(() => linear.forward(any(value)))).toMatch(
      /^ERR_QGEMM_(ARGUMENT|DTYPE): x must be a Float32Array, got /,
    );
    expect(thrown(() => linear.forward(any(value)))).toContain(`got ${shown}`);
  });
});

describe('shapes', () => {
  it('with a missing dimension are refused', () => {
    const sparse = new Array<number>(2);
    sparse[1] = 6;
    expect(thrown(() => quantize(x, sparse, { dtype: 'int8' }))).toContain('shape[0] must be a number, got undefined');
  });

  it('with 2^32 - 1 missing dimensions are refused at the first one', () => {
    const shape = new Array<number>(2 ** 32 - 1);
    expect(thrown(() => quantize(x, shape, { dtype: 'int8' }))).toContain('shape[0] must be a number');
  });

  it('are read once', () => {
    let reads = 0;
    const shape = Object.defineProperty([0, 3], 0, { get: () => (++reads === 1 ? 2 : 7) });
    expect(quantize(x, shape, { dtype: 'int8', granularity: 'per-channel' })).toMatchObject({ shape: [2, 3] });
    expect(reads).toBe(1);
  });
});

describe('options', () => {
  it.each<[string, unknown]>([
    ['a Map', new Map([['residual', x]])],
    ['an AbortSignal', AbortSignal.timeout(1000)],
    ['an ArrayBuffer', new ArrayBuffer(8)],
    ['a Date', new Date()],
  ])('%s is refused, not ignored', async (name, options) => {
    const got = `options must be an object, got ${name.split(' ')[1]}`;
    expect(thrown(() => linear.forward(x, undefined, any(options)))).toBe(`ERR_QGEMM_ARGUMENT: ${got}`);
    await expect(linear.forwardAsync(x, any(options))).rejects.toThrow(got);
  });

  it('may be instances of classes and objects without a prototype', () => {
    class Settings {
      scheme = 'float32' as const;
    }
    expect(PackedWeights.fromFloat32(x, [2, 3], new Settings()).dtype).toBe('float32');
    const bare = Object.assign(Object.create(null) as object, { scheme: 'float32' as const });
    expect(PackedWeights.fromFloat32(x, [2, 3], bare).dtype).toBe('float32');
  });

  it('null is not taken for absent', () => {
    expect(thrown(() => quantize(x, [2, 3], { dtype: 'int8', axis: any(null) }))).toContain('options.axis must be');
    const sizes = { m: 2, n: 2, k: 3, transposeB: true };
    expect(thrown(() => matmulQuantized(x, x, { ...sizes, batch: any(null) }))).toContain('options.batch must be');
    expect(thrown(() => matmulQuantized(x, x, { ...sizes, scale: any(null) }))).toContain('options.scale must be');
  });
});

it('an empty out that is transferred meanwhile is DETACHED like others', async () => {
  const out = new Float32Array(0);
  const promise = linear.forwardAsync(new Float32Array(0), { out });
  structuredClone(out.buffer, { transfer: [out.buffer] });
  await expect(promise).rejects.toMatchObject({ name: 'QgemmError', code: 'ERR_QGEMM_DETACHED' });
});

it('objects of another copy of the package are called that', () => {
  const [Other, OtherWeights] = [
    class Linear {
      n = 1;
    },
    class PackedWeights {
      n = 1;
    },
  ];
  expect(thrown(() => linear.forward.call(any(new Other()), x))).toBe(
    'ERR_QGEMM_ARGUMENT: the receiver must be a Linear of the same copy of qgemm, got Linear',
  );
  expect(thrown(() => new Linear(any(new OtherWeights())))).toContain('of the same copy of qgemm, got PackedWeights');
  expect(thrown(() => new Linear(any({})))).toContain('weights must be a PackedWeights, got an object');
});

it('typed arrays of another realm (vm, Jest) are what they are', () => {
  const [f, i, u] = runInNewContext(
    '[new Float32Array([1, 2, 3]), new Int8Array([-1, 2]), new Uint8Array([255, 3])]',
  ) as [Float32Array, Int8Array, Uint8Array];
  expect(linear.forward(f)).toEqual(linear.forward(Float32Array.of(1, 2, 3)));
  expect([...matmulInteger(i, u, 1, 1, 2, { aZeroPoint: -128, bZeroPoint: 255 })]).toEqual([130 * -252]);
  expect(thrown(() => matmulInteger(any(f), u, 1, 1, 2))).toContain('a must be an Int8Array or Uint8Array');
});
