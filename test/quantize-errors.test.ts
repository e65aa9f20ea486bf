import { describe, expect, test } from 'vitest';
import {
  chooseQParams,
  dequantize,
  QgemmError,
  quantize,
  quantizePerChannel,
  quantizePerTensor,
  type QuantizeOptions,
} from '../lib/index.js';

/** The code and message of the QgemmError that `call` throws. */
function thrown(call: () => unknown): [string, string] {
  try {
    call();
  } catch (error) {
    if (error instanceof QgemmError) return [error.code, error.message];
    throw error;
  }
  throw new Error('nothing was thrown');
}

const x = Float32Array.of(1, 2, 3, 4, 5, 6);
const choose = (options: unknown, shape: unknown = [2, 3], data: unknown = x) => {
  return () => chooseQParams(data as Float32Array, shape as number[], options as QuantizeOptions);
};
const int8 = { dtype: 'int8' } as const;

describe('chooseQParams and quantize refuse', () => {
  test.each<[string, () => unknown, string, string]>([
    ['an array', choose(int8, [2], [1, 2]), 'ERR_QGEMM_ARGUMENT', 'x must be a Float32Array, got [1, 2]'],
    [
      'doubles',
      choose(int8, [2], new Float64Array(2)),
      'ERR_QGEMM_DTYPE',
      'x must be a Float32Array, got Float64Array(2)',
    ],
    ['a shape of strings', choose(int8, ['6']), 'ERR_QGEMM_ARGUMENT', 'shape[0] must be a number'],
    ['a negative size', choose(int8, [-2, -3]), 'ERR_QGEMM_RANGE', 'shape[0] must be an integer >= 0, got -2'],
    ['a fraction', choose(int8, [1.5, 4]), 'ERR_QGEMM_RANGE', 'shape[0] must be an integer >= 0, got 1.5'],
    ['a wrong product', choose(int8, [2, 4]), 'ERR_QGEMM_SHAPE', 'x must have 8 elements'],
    ['a huge product', choose(int8, [2 ** 30, 2 ** 30]), 'ERR_QGEMM_LIMIT', 'shape must describe fewer than 2^53'],
    ['no options', choose(undefined), 'ERR_QGEMM_ARGUMENT', 'options must be an object with a dtype'],
    ['no dtype', choose({}), 'ERR_QGEMM_ARGUMENT', "options.dtype must be 'int8' or 'uint8', got undefined"],
    [
      'another dtype',
      choose({ dtype: 'int4' }),
      'ERR_QGEMM_DTYPE',
      `options.dtype must be 'int8' or 'uint8', got "int4"`,
    ],
    ['an unknown option', choose({ ...int8, bits: 8 }), 'ERR_QGEMM_ARGUMENT', 'options has no option "bits"'],
    [
      'an unknown mode',
      choose({ ...int8, numerics: 'ggml' }),
      'ERR_QGEMM_ARGUMENT',
      "options.numerics must be one of 'qgemm', 'torch'",
    ],
    [
      'an unknown granularity',
      choose({ ...int8, granularity: 'row' }),
      'ERR_QGEMM_ARGUMENT',
      'options.granularity must be one of',
    ],
    [
      'an axis per tensor',
      choose({ ...int8, granularity: 'per-tensor', axis: 0 }),
      'ERR_QGEMM_ARGUMENT',
      'options.axis must be absent',
    ],
    [
      'a negative axis',
      choose({ ...int8, axis: -1 }),
      'ERR_QGEMM_RANGE',
      'options.axis must be an integer in [0, 1], got -1',
    ],
    [
      'an axis of a scalar',
      choose({ ...int8, axis: 0 }, [], Float32Array.of(1)),
      'ERR_QGEMM_SHAPE',
      'options.axis must be an axis of the shape',
    ],
    [
      'groups that do not divide',
      choose({ ...int8, groupSize: 2 }),
      'ERR_QGEMM_SHAPE',
      'options.groupSize must divide the last axis of the shape, got 2 for an axis of 3',
    ],
    [
      'groups of nothing',
      choose({ ...int8, groupSize: 0 }),
      'ERR_QGEMM_RANGE',
      'options.groupSize must be an integer >= 1, got 0',
    ],
    [
      'groups without a size',
      choose({ ...int8, granularity: 'per-group' }),
      'ERR_QGEMM_ARGUMENT',
      'options.groupSize must be a number, got undefined',
    ],
    [
      'rows of a scalar',
      choose({ ...int8, granularity: 'per-row' }, [], Float32Array.of(1)),
      'ERR_QGEMM_SHAPE',
      'shape must have an axis',
    ],
    [
      'codes outside the dtype',
      choose({ ...int8, qmin: -129 }),
      'ERR_QGEMM_RANGE',
      'options.qmin must be an integer in [-128, 127], got -129',
    ],
    [
      'codes the wrong way round',
      choose({ ...int8, qmin: 5, qmax: 5 }),
      'ERR_QGEMM_RANGE',
      'options.qmin must be less than qmax (5), got 5',
    ],
    [
      'symmetric codes on one side',
      choose({ ...int8, qmin: 1 }),
      'ERR_QGEMM_RANGE',
      'options.qmin must be below the zero point 0',
    ],
    [
      'symmetric torch-dynamic',
      choose({ ...int8, symmetric: true, numerics: 'torch-dynamic' }),
      'ERR_QGEMM_ARGUMENT',
      'options.symmetric must be false',
    ],
    [
      'symmetric as a number',
      choose({ ...int8, symmetric: 1 }),
      'ERR_QGEMM_ARGUMENT',
      'options.symmetric must be a boolean, got 1',
    ],
    [
      'reduceRange beside qmax',
      choose({ ...int8, qmax: 100, reduceRange: true }),
      'ERR_QGEMM_ARGUMENT',
      'options.reduceRange must be absent',
    ],
    [
      'eps where the mode has none',
      choose({ ...int8, eps: 1e-6, numerics: 'onnx' }),
      'ERR_QGEMM_ARGUMENT',
      "options.eps must be absent with numerics 'onnx'",
    ],
    ['an eps of zero', choose({ ...int8, eps: 0 }), 'ERR_QGEMM_RANGE', 'options.eps must be in [2^-126, 1], got 0'],
    [
      'another nonFinite',
      choose({ ...int8, nonFinite: 'throw' }),
      'ERR_QGEMM_ARGUMENT',
      "options.nonFinite must be one of 'clip', 'error'",
    ],
  ])('%s', (_name, call, code, message) => {
    const [actualCode, actualMessage] = thrown(call);
    expect(actualMessage).toContain(message);
    expect(actualCode).toBe(code);
  });
});

describe('quantizePerTensor and quantizePerChannel refuse', () => {
  const perTensor = (scale: unknown, zero: unknown = 0, dtype: unknown = 'int8') => {
    return () => quantizePerTensor(x, scale as number, zero as number, dtype as 'int8');
  };
  const perChannel = (scales: unknown, zeros: unknown, axis: unknown = 0) => {
    return () => quantizePerChannel(x, [2, 3], scales as number[], zeros as number[], axis as number, 'int8');
  };
  test.each<[string, () => unknown, string, string]>([
    ['a scale of 0', perTensor(0), 'ERR_QGEMM_RANGE', 'scale must be finite and > 0 in float32, got 0'],
    ['a negative scale', perTensor(-1), 'ERR_QGEMM_RANGE', 'scale must be finite and > 0'],
    ['NaN', perTensor(NaN), 'ERR_QGEMM_RANGE', 'got NaN'],
    ['infinity', perTensor(Infinity), 'ERR_QGEMM_RANGE', 'got Infinity'],
    ['a scale that float32 rounds to 0', perTensor(1e-50), 'ERR_QGEMM_RANGE', 'got 1e-50'],
    ['a scale that float32 rounds to infinity', perTensor(1e39), 'ERR_QGEMM_RANGE', 'got 1e+39'],
    ['a scale that is no number', perTensor('1'), 'ERR_QGEMM_ARGUMENT', 'scale must be a number, got "1"'],
    [
      'a zero point outside int8',
      perTensor(1, 128),
      'ERR_QGEMM_RANGE',
      'zeroPoint must be an integer in [-128, 127], got 128',
    ],
    [
      'a zero point outside uint8',
      perTensor(1, -1, 'uint8'),
      'ERR_QGEMM_RANGE',
      'zeroPoint must be an integer in [0, 255], got -1',
    ],
    ['a fraction of a zero point', perTensor(1, 0.5), 'ERR_QGEMM_RANGE', 'got 0.5'],
    ['another dtype', perTensor(1, 0, 'qint8'), 'ERR_QGEMM_DTYPE', 'dtype must be'],
    ['too few scales', perChannel([1], [0, 0]), 'ERR_QGEMM_SHAPE', 'scales must have 2 elements'],
    ['too many zero points', perChannel([1, 1], [0, 0, 0]), 'ERR_QGEMM_SHAPE', 'zeroPoints must have 2 elements'],
    [
      'one bad scale',
      perChannel([1, 0], [0, 0]),
      'ERR_QGEMM_RANGE',
      'scales[1] must be finite and > 0 in float32, got 0',
    ],
    [
      'a scale that is no number',
      perChannel([1, '2'], [0, 0]),
      'ERR_QGEMM_ARGUMENT',
      'scales[1] must be a number, got "2"',
    ],
    [
      'one bad zero point',
      perChannel([1, 1], Int32Array.of(0, 200)),
      'ERR_QGEMM_RANGE',
      'zeroPoints[1] must be an integer in [-128, 127], got 200',
    ],
    ['a zero point that wraps', perChannel([1, 1], [0, 2 ** 32]), 'ERR_QGEMM_RANGE', 'got 4294967296'],
    [
      'scales of another kind',
      perChannel(1, [0, 0]),
      'ERR_QGEMM_ARGUMENT',
      'scales must be an array of numbers, got 1',
    ],
    ['an axis too many', perChannel([1, 1], [0, 0], 2), 'ERR_QGEMM_RANGE', 'axis must be an integer in [0, 1], got 2'],
  ])('%s', (_name, call, code, message) => {
    const [actualCode, actualMessage] = thrown(call);
    expect(actualMessage).toContain(message);
    expect(actualCode).toBe(code);
  });
});

describe('dequantize refuses', () => {
  const q = quantize(x, [2, 3], { dtype: 'int8', axis: 0 });
  test.each<[string, unknown, string, string]>([
    ['nothing', null, 'ERR_QGEMM_ARGUMENT', 'q must be a QuantizedTensor, got null'],
    [
      'a dtype that the codes do not have',
      { ...q, dtype: 'uint8' },
      'ERR_QGEMM_DTYPE',
      'q.data must be a Uint8Array, got Int8Array(6)',
    ],
    ['a wrong shape', { ...q, shape: [3, 3] }, 'ERR_QGEMM_SHAPE', 'q.data must have 9 elements'],
    ['a wrong axis', { ...q, axis: 1 }, 'ERR_QGEMM_SHAPE', 'q.scales must have 3 elements'],
    ['no axis at all', { ...q, axis: undefined }, 'ERR_QGEMM_ARGUMENT', 'q.axis must be a number, got undefined'],
    ['a scale of 0', { ...q, scales: Float32Array.of(1, 0) }, 'ERR_QGEMM_RANGE', 'q.scales[1] must be finite and > 0'],
    ['a zero point outside', { ...q, zeroPoints: Int32Array.of(0, -129) }, 'ERR_QGEMM_RANGE', 'q.zeroPoints[1]'],
  ])('%s', (_name, value, code, message) => {
    const [actualCode, actualMessage] = thrown(() => dequantize(value as typeof q));
    expect(actualMessage).toContain(message);
    expect(actualCode).toBe(code);
  });
});

describe('buffers', () => {
  test('a transferred input is DETACHED', () => {
    const moved = new Float32Array(4);
    structuredClone(moved.buffer, { transfer: [moved.buffer] });
    expect(thrown(choose(int8, [0], moved))[0]).toBe('ERR_QGEMM_DETACHED');
    expect(thrown(() => quantizePerTensor(moved, 1, 0, 'int8'))[0]).toBe('ERR_QGEMM_DETACHED');
    const q = quantize(Float32Array.of(1, 2), [2], int8);
    structuredClone(q.data.buffer, { transfer: [q.data.buffer as ArrayBuffer] });
    expect(thrown(() => dequantize(q))[0]).toBe('ERR_QGEMM_DETACHED');
  });

  test('an option whose getter detaches the input cannot hurt', () => {
    const moved = new Float32Array(64).fill(1);
    const options = {
      dtype: 'int8' as const,
      get nonFinite(): 'clip' {
        structuredClone(moved.buffer, { transfer: [moved.buffer] });
        return 'clip';
      },
    };
    expect(['ERR_QGEMM_SHAPE', 'ERR_QGEMM_DETACHED']).toContain(thrown(() => quantize(moved, [64], options))[0]);
  });

  test('views on shared memory and unaligned parts of a buffer are read in place', () => {
    const shared = new Float32Array(new SharedArrayBuffer(40)).subarray(1, 7);
    shared.set(x);
    expect(quantize(shared, [6], int8)).toEqual(quantize(x, [6], int8));
  });

  test('the result owns its memory', () => {
    const shape = [2, 3];
    const scales = Float32Array.of(1, 1);
    const q = quantizePerChannel(x, shape, scales, [0, 0], 0, 'int8');
    shape[0] = 9;
    scales[0] = 9;
    expect([q.shape, q.scales[0]]).toEqual([[2, 3], 1]);
  });
});
