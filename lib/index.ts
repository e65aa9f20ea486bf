export { chooseQParams, type QParams, type QuantizeOptions } from './choose-qparams.js';
export { cpuInfo, setNumThreads, type CpuInfo } from './cpu.js';
export { QgemmError, type QgemmErrorCode } from './errors.js';
export type { ForwardAsyncOptions } from './forward-async.js';
export { Linear, type Activation, type LinearOptions } from './linear.js';
export { matmulInteger, type MatmulIntegerOptions } from './matmul-integer.js';
export {
  PackedWeights,
  type ActivationRange,
  type PackOptions,
  type Scheme,
  type WeightsHandle,
} from './packed-weights.js';
export type { Numerics } from './quantization-range.js';
export { dequantize, quantize, quantizePerChannel, quantizePerTensor, type FixedQuantizeOptions } from './quantize.js';
export type { Granularity, NumberList, QuantizedDType, QuantizedTensor } from './tensor.js';
