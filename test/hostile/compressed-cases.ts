import { safetensorsBytes, type TestTensor } from '../support/safetensors.js';
import type { HostileCase } from './safetensors-cases.js';

const FORMAT = 'ERR_QGEMM_FORMAT';

const tensor = (dtype: string, shape: number[], bytes: number): TestTensor => ({
  dtype,
  shape,
  data: new Uint8Array(bytes),
});
const codes = tensor('I8', [8, 4], 32);
const scales = tensor('F32', [8, 1], 32);
const points = tensor('I8', [8, 1], 8);

function refusedCase(name: string, tensors: Record<string, TestTensor>): HostileCase {
  return { name, code: FORMAT, bytes: safetensorsBytes(tensors) };
}

const scaled = (weight_scale: TestTensor): Record<string, TestTensor> => ({
  'a.weight': codes,
  'a.weight_scale': weight_scale,
});
const pointed = (point: TestTensor): Record<string, TestTensor> => ({
  ...scaled(scales),
  'a.weight_zero_point': point,
});

/** Quantized weights whose codes, scales and zero points do not belong together. */
export const compressedCases: HostileCase[] = [
  refusedCase('codes packed into int32', {
    'a.weight_packed': tensor('I32', [8, 1], 32),
    'a.weight_scale': scales,
    'a.weight_shape': tensor('I32', [2], 8),
  }),
  refusedCase('one scale too few', scaled(tensor('F32', [7, 1], 28))),
  refusedCase('one scale too many', scaled(tensor('F32', [9, 1], 36))),
  refusedCase('scales for each column', scaled(tensor('F32', [1, 4], 16))),
  refusedCase('scales for groups', scaled(tensor('F32', [8, 2], 64))),
  refusedCase('scales with three dimensions', scaled(tensor('F32', [8, 1, 1], 32))),
  refusedCase('no scales at all', scaled(tensor('F32', [0, 1], 0))),
  refusedCase('scales that are integers', scaled(tensor('I32', [8, 1], 32))),
  refusedCase('scales of float64', scaled(tensor('F64', [8, 1], 64))),
  refusedCase('one zero point too few', pointed(tensor('I8', [7, 1], 7))),
  refusedCase('one zero point for scales per channel', pointed(tensor('I8', [1], 1))),
  refusedCase('zero points that are unsigned', pointed(tensor('U8', [8, 1], 8))),
  refusedCase('zero points packed into int32', pointed(tensor('I32', [2, 1], 8))),
  refusedCase('zero points per channel for one scale', {
    ...scaled(tensor('F32', [1], 4)),
    'a.weight_zero_point': points,
  }),
];
